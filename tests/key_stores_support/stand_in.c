/* A PKCS#11 module for tests: SoftHSM, and what SoftHSM lacks.
 *
 * It passes every function on to the module that PERSO_SOFTHSM_MODULE names, and adds
 *   - C_UnwrapKey with triple DES and AES keys in ECB and CBC mode,
 *   - the mechanism 0x80000A01: ISO 9797-1 algorithm 3, eight bytes, no padding,
 *   - flags of the token's PIN, from PERSO_STAND_IN_FLAGS (hexadecimal).
 * The calls that matter are noted in the file that PERSO_STAND_IN_LOG names. */

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long word;
typedef struct { word type; void *value; word length; } attribute;
typedef struct { word type; void *parameter; word length; } mechanism;
typedef struct { unsigned char version[2]; void *functions[68]; } list;
typedef struct { unsigned char *data; word length; } string_data;

/* Places in CK_FUNCTION_LIST. PKCS#11 v2.40 */
enum { GET_LIST = 3, TOKEN_INFO = 6, MECHANISM_INFO = 8, LOGIN = 18, CREATE = 20, DESTROY = 22, GET_ATTRIBUTE = 24,
       FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, ENCRYPT_INIT = 29, ENCRYPT = 30, DECRYPT_INIT = 33, DECRYPT = 34,
       SIGN_INIT = 42, SIGN = 43, UNWRAP = 61, DERIVE = 62 };

#define CKA_CLASS 0x0UL
#define CKA_TOKEN 0x1UL
#define CKA_PRIVATE 0x2UL
#define CKA_LABEL 0x3UL
#define CKA_VALUE 0x11UL
#define CKA_KEY_TYPE 0x100UL
#define CKA_ENCRYPT 0x104UL
#define CKA_UNWRAP 0x107UL
#define CKA_SIGN 0x108UL
#define CKA_VALUE_LEN 0x161UL
#define CKA_ALLOWED_MECHANISMS 0x40000600UL
#define CKK_DES2 0x14UL
#define CKO_SECRET_KEY 4UL
#define CKM_DES3_ECB 0x132UL
#define CKM_DES3_CBC 0x133UL
#define CKM_AES_ECB 0x1081UL
#define CKM_AES_CBC 0x1082UL
#define CKM_DES3_ECB_ENCRYPT_DATA 0x1102UL
#define CKM_RETAIL_MAC 0x80000A01UL
#define CKF_UNWRAP 0x40000UL
#define CKR_OK 0UL
#define CKR_GENERAL_ERROR 5UL
#define CKR_DATA_LEN_RANGE 0x21UL
#define CKR_KEY_FUNCTION_NOT_PERMITTED 0x68UL
#define CKR_MECHANISM_INVALID 0x70UL

enum { MOST = 256, BLOCK = 8, LONGEST = 4096 };

static list theirs, ours;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* The left half of session keys by their handles; sessions that sign with the mechanism here. */
static struct { word key, left; } lefts[MOST];
static struct { word session, key; } signing[MOST];

#define CALL(place, type) ((word(*) type)theirs.functions[place])

static void note(const char *what) {
    const char *path = getenv("PERSO_STAND_IN_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", what);
        fclose(file);
    }
}

static word create(word session, attribute *template, word count, word *key) {
    return CALL(CREATE, (word, attribute *, word, word *))(session, template, count, key);
}

static word encrypt(word session, word type, void *iv, word key, const unsigned char *data, word length, unsigned char *out) {
    mechanism how = { type, iv, iv ? BLOCK : 0 };
    word size = length;
    word failed = CALL(ENCRYPT_INIT, (word, mechanism *, word))(session, &how, key);
    return failed ? failed : CALL(ENCRYPT, (word, const unsigned char *, word, unsigned char *, word *))(session, data, length, out, &size);
}

static int flag(word session, word key, word type) {
    unsigned char value = 0;
    attribute one = { type, &value, 1 };
    return CALL(GET_ATTRIBUTE, (word, word, attribute *, word))(session, key, &one, 1) == CKR_OK && value == 1;
}

static attribute *find(attribute *template, word count, word type) {
    for (word at = 0; at < count; at++)
        if (template[at].type == type)
            return &template[at];
    return NULL;
}

/* The object of the left half of a key that makes MACs: "left of LABEL" in the token, or by the handle of a session key. */
static void name_of(attribute *label, char *name, word *length) {
    *length = (word)snprintf(name, MOST, "left of %.*s", (int)label->length, (char *)label->value);
}

static word keep_left(word session, attribute *template, word count, const unsigned char *value, word key) {
    attribute *sign = find(template, count, CKA_SIGN), *type = find(template, count, CKA_KEY_TYPE);
    attribute *token = find(template, count, CKA_TOKEN), *label = find(template, count, CKA_LABEL);
    if (!sign || *(unsigned char *)sign->value != 1 || !type || *(word *)type->value != CKK_DES2)
        return CKR_OK;
    unsigned char half[2 * BLOCK], yes = 1, stays = token && *(unsigned char *)token->value == 1;
    word class = CKO_SECRET_KEY, kind = CKK_DES2, left = 0, length = 0;
    char name[MOST] = "";
    memcpy(half, value, BLOCK);
    memcpy(half + BLOCK, value, BLOCK);
    if (label)
        name_of(label, name, &length);
    attribute whole[] = { { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &kind, sizeof kind }, { CKA_TOKEN, &stays, 1 },
        { CKA_PRIVATE, &yes, 1 }, { CKA_ENCRYPT, &yes, 1 }, { CKA_LABEL, name, length }, { CKA_VALUE, half, sizeof half } };
    word failed = create(session, whole, sizeof whole / sizeof *whole, &left);
    if (failed || stays)
        return failed;
    for (int at = 0; at < MOST; at++)
        if (!lefts[at].key) {
            lefts[at].key = key;
            lefts[at].left = left;
            return CKR_OK;
        }
    return CKR_GENERAL_ERROR;
}

static word left_of(word session, word key) {
    for (int at = 0; at < MOST; at++)
        if (lefts[at].key == key)
            return lefts[at].left;
    char label[MOST], name[MOST];
    attribute one = { CKA_LABEL, label, sizeof label };
    word length, left = 0, count = 0;
    if (CALL(GET_ATTRIBUTE, (word, word, attribute *, word))(session, key, &one, 1))
        return 0;
    name_of(&one, name, &length);
    attribute wanted = { CKA_LABEL, name, length };
    if (CALL(FIND_INIT, (word, attribute *, word))(session, &wanted, 1))
        return 0;
    CALL(FIND, (word, word *, word, word *))(session, &left, 1, &count);
    CALL(FIND_FINAL, (word))(session);
    return count ? left : 0;
}

static word create_object(word session, attribute *template, word count, word *key) {
    note("create");
    attribute *value = find(template, count, CKA_VALUE);
    word failed = create(session, template, count, key);
    if (failed || !value || value->length != 2 * BLOCK)
        return failed;
    pthread_mutex_lock(&lock);
    failed = keep_left(session, template, count, value->value, *key);
    pthread_mutex_unlock(&lock);
    return failed;
}

static word destroy_object(word session, word key) {
    pthread_mutex_lock(&lock);
    for (int at = 0; at < MOST; at++)
        if (lefts[at].key == key) {
            CALL(DESTROY, (word, word))(session, lefts[at].left);
            lefts[at].key = 0;
        }
    pthread_mutex_unlock(&lock);
    return CALL(DESTROY, (word, word))(session, key);
}

static word unwrap_key(word session, mechanism *how, word kek, unsigned char *wrapped, word length, attribute *template,
                       word count, word *key) {
    note("unwrap");
    if (how->type != CKM_DES3_ECB && how->type != CKM_DES3_CBC && how->type != CKM_AES_ECB && how->type != CKM_AES_CBC)
        return CKR_MECHANISM_INVALID;
    if (!flag(session, kek, CKA_UNWRAP))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    unsigned char value[64];
    word size = sizeof value, kept = 0;
    word failed = CALL(DECRYPT_INIT, (word, mechanism *, word))(session, how, kek);
    if (!failed)
        failed = CALL(DECRYPT, (word, unsigned char *, word, unsigned char *, word *))(session, wrapped, length, value, &size);
    if (failed)
        return failed;
    attribute whole[64];
    if (count > 60)
        return CKR_GENERAL_ERROR;
    whole[kept++] = (attribute){ CKA_VALUE, value, size };
    for (word at = 0; at < count; at++)
        if (template[at].type != CKA_VALUE_LEN)
            whole[kept++] = template[at];
    failed = create(session, whole, kept, key);
    pthread_mutex_lock(&lock);
    if (!failed && size == 2 * BLOCK)
        failed = keep_left(session, whole, kept, value, *key);
    pthread_mutex_unlock(&lock);
    return failed;
}

/* A key that is derived for MACs by ECB encryption: its left half is what the first block is encrypted to. */
static word derive_key(word session, mechanism *how, word base, attribute *template, word count, word *key) {
    word failed = CALL(DERIVE, (word, mechanism *, word, attribute *, word, word *))(session, how, base, template, count, key);
    if (failed || how->type != CKM_DES3_ECB_ENCRYPT_DATA)
        return failed;
    string_data *data = how->parameter;
    unsigned char value[2 * BLOCK];
    if (data->length != sizeof value)
        return CKR_OK;
    failed = encrypt(session, CKM_DES3_ECB, NULL, base, data->data, sizeof value, value);
    pthread_mutex_lock(&lock);
    if (!failed)
        failed = keep_left(session, template, count, value, *key);
    pthread_mutex_unlock(&lock);
    return failed;
}

static int permitted(word session, word key) {
    word all[64];
    attribute one = { CKA_ALLOWED_MECHANISMS, all, sizeof all };
    if (CALL(GET_ATTRIBUTE, (word, word, attribute *, word))(session, key, &one, 1) || one.length > sizeof all || !one.length)
        return 1;
    for (word at = 0; at < one.length / sizeof *all; at++)
        if (all[at] == CKM_RETAIL_MAC)
            return 1;
    return 0;
}

static word sign_init(word session, mechanism *how, word key) {
    if (how->type != CKM_RETAIL_MAC)
        return CALL(SIGN_INIT, (word, mechanism *, word))(session, how, key);
    if (how->length || !permitted(session, key))
        return CKR_MECHANISM_INVALID;
    if (!flag(session, key, CKA_SIGN))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    word failed = CKR_GENERAL_ERROR;
    pthread_mutex_lock(&lock);
    for (int at = 0; at < MOST && failed; at++)
        if (!signing[at].session) {
            signing[at].session = session;
            signing[at].key = key;
            failed = CKR_OK;
        }
    pthread_mutex_unlock(&lock);
    return failed;
}

static word retail_mac(word session, word key, const unsigned char *data, word length, unsigned char *mac) {
    unsigned char iv[BLOCK] = { 0 }, chained[LONGEST], last[BLOCK];
    word left = left_of(session, key), before = length - BLOCK;
    if (!length || length % BLOCK || length > LONGEST)
        return CKR_DATA_LEN_RANGE;
    if (!left)
        return CKR_GENERAL_ERROR;
    memcpy(last, data + before, BLOCK);
    if (before) {
        word failed = encrypt(session, CKM_DES3_CBC, iv, left, data, before, chained);
        if (failed)
            return failed;
        for (int at = 0; at < BLOCK; at++)
            last[at] ^= chained[before - BLOCK + (word)at];
    }
    return encrypt(session, CKM_DES3_ECB, NULL, key, last, BLOCK, mac);
}

static word sign(word session, unsigned char *data, word length, unsigned char *out, word *size) {
    word key = 0, failed;
    pthread_mutex_lock(&lock);
    for (int at = 0; at < MOST; at++)
        if (signing[at].session == session) {
            key = signing[at].key;
            /* To ask for the length ends nothing. */
            if (out)
                signing[at].session = 0;
        }
    if (!key) {
        pthread_mutex_unlock(&lock);
        return CALL(SIGN, (word, unsigned char *, word, unsigned char *, word *))(session, data, length, out, size);
    }
    failed = CKR_OK;
    if (out) {
        note("mac");
        failed = *size < BLOCK ? CKR_GENERAL_ERROR : retail_mac(session, key, data, length, out);
    }
    *size = BLOCK;
    pthread_mutex_unlock(&lock);
    return failed;
}

static word mechanism_info(word slot, word type, word *info) {
    word failed = CALL(MECHANISM_INFO, (word, word, word *))(slot, type, info);
    if (!failed && (type == CKM_DES3_ECB || type == CKM_DES3_CBC || type == CKM_AES_ECB || type == CKM_AES_CBC))
        info[2] |= CKF_UNWRAP;
    return failed;
}

static word token_info(word slot, unsigned char *info) {
    word failed = CALL(TOKEN_INFO, (word, unsigned char *))(slot, info), flags;
    const char *more = getenv("PERSO_STAND_IN_FLAGS");
    if (!failed && more) {
        memcpy(&flags, info + 96, sizeof flags);
        flags |= strtoul(more, NULL, 16);
        memcpy(info + 96, &flags, sizeof flags);
    }
    return failed;
}

static word find_init(word session, attribute *template, word count) {
    note("find");
    return CALL(FIND_INIT, (word, attribute *, word))(session, template, count);
}

static word login(word session, word user, unsigned char *pin, word length) {
    note("login");
    return CALL(LOGIN, (word, word, unsigned char *, word))(session, user, pin, length);
}

word C_GetFunctionList(list **out) {
    void *module = dlopen(getenv("PERSO_SOFTHSM_MODULE"), RTLD_NOW);
    word (*get)(list **) = module ? (word(*)(list **))dlsym(module, "C_GetFunctionList") : NULL;
    list *found;
    if (!get || get(&found))
        return CKR_GENERAL_ERROR;
    theirs = ours = *found;
    ours.functions[GET_LIST] = (void *)C_GetFunctionList;
    ours.functions[TOKEN_INFO] = (void *)token_info;
    ours.functions[MECHANISM_INFO] = (void *)mechanism_info;
    ours.functions[FIND_INIT] = (void *)find_init;
    ours.functions[LOGIN] = (void *)login;
    ours.functions[CREATE] = (void *)create_object;
    ours.functions[DESTROY] = (void *)destroy_object;
    ours.functions[SIGN_INIT] = (void *)sign_init;
    ours.functions[SIGN] = (void *)sign;
    ours.functions[UNWRAP] = (void *)unwrap_key;
    ours.functions[DERIVE] = (void *)derive_key;
    *out = &ours;
    return CKR_OK;
}
