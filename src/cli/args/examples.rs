//! Examples in the help of every command. tests/it/shell.rs runs each of them, in this order, in one folder.

/// The command, and lines that a shell runs as they are.
pub(super) const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "perso doctor --keys keys.json",
            "perso check orders/ --keys keys.json --site site.toml",
            "perso run record.json --keys keys.json --reader sim",
        ],
    ),
    (
        "run",
        &[
            "perso run record.json --keys keys.json --reader sim",
            "perso run record.json --keys keys.json --reader \"ACS ACR39U\" --trace job.trace",
            "perso run order.json --keys keys.json --site site.toml --issuer-certificate issuer.json --reader sim",
            "perso run - --keys keys.json --reader sim --format json < record.json",
        ],
    ),
    (
        "sim new",
        &[
            "perso sim new debit-aes-scp03 --keys keys.json --record record.json -o card.json",
            "perso sim new debit-aes-scp03 --keys keys.json --aid A0000009990101 -o blank.json",
        ],
    ),
    (
        "init lab",
        &[
            "perso init lab my-lab --aid D27600002545500201 --name gold",
            "cd my-lab && perso run orders/own.json --reader sim",
        ],
    ),
    ("demo", &["perso demo"]),
    ("sim serve", &["perso sim serve card.json --listen 127.0.0.1:35963"]),
    (
        "trace show",
        &[
            "perso run record.json --keys keys.json --reader sim:card.json --trace card.trace",
            "perso trace show card.trace",
            "perso trace show card.trace --keys keys.json",
        ],
    ),
    ("trace replay", &["perso trace replay card.trace record.json --keys keys.json"]),
    (
        "verify",
        &[
            "perso verify record.json --keys keys.json --ca-keys ca-keys.json --reader sim:card.json",
            "perso verify --reader sim:card.json --aid A000000999 --all",
        ],
    ),
    (
        "check",
        &[
            "perso check record.json keys.json --keys keys.json",
            "perso check orders/ card-profiles/ --keys keys.json --site site.toml",
            "perso check - < order.json",
        ],
    ),
    (
        "plan",
        &[
            "perso plan record.json --keys keys.json",
            "perso plan record.json --keys keys.json --wire t0 --speed 115200",
        ],
    ),
    (
        "prepare",
        &["perso prepare order.json --keys keys.json --site site.toml --issuer-certificate issuer.json -o made.json"],
    ),
    ("pool generate", &["perso pool generate pool.json --count 2 --key lab-record --keys keys.json"]),
    ("pool status", &["perso pool status pool.json --keys keys.json"]),
    ("record seal", &["perso record seal clear.json --keys keys.json -o sealed.json"]),
    (
        "record show",
        &["perso record show record.json --keys keys.json", "perso record show - --keys keys.json < record.json"],
    ),
    ("keys list", &["perso keys list keys.json"]),
    ("keys seal", &["perso keys seal keys.json --passphrase-file passphrase.txt -o sealed-keys.json"]),
    (
        "keys passphrase",
        &[
            "perso keys passphrase --keys sealed-keys.json --passphrase-file passphrase.txt --new-passphrase-file new-passphrase.txt",
        ],
    ),
    (
        "keys generate",
        &[
            "perso keys generate --keys mine.json --test --name kbpk --purpose kbpk --algorithm aes256",
            "perso keys generate --keys mine.json --test --name zpk-bank --purpose zpk --algorithm tdes2 --zone bank",
        ],
    ),
    ("keys export", &["perso keys export zpk-bank --kbpk kbpk --exportability E --keys mine.json -o zpk-bank.block"]),
    ("keys import", &["perso keys import --block zpk-bank.block --kbpk kbpk --name zpk-bank-2 --keys mine.json"]),
    ("keys rotate", &["perso keys rotate zpk-bank --keys mine.json"]),
    (
        "keys load",
        &["perso keys load --keys mine.json --into \"pkcs11:token=perso?module-path=/usr/lib/softhsm/libsofthsm2.so\""],
    ),
    ("keys kcv", &["perso keys kcv zpk-bank --keys mine.json"]),
    (
        "keys public",
        &[
            "perso keys generate --keys mine.json --test --name issuer --purpose issuer-rsa --algorithm rsa --bits 1408",
            "perso keys public issuer --keys mine.json --form numbers",
        ],
    ),
    ("keys needed", &["perso keys needed debit-aes-scp03 --keys keys.json"]),
    ("keys remove", &["perso keys remove zpk-bank-2 --keys mine.json"]),
    (
        "ca new-test",
        &["perso ca new-test --rid A000000999 --index 91 --expiry 2049-12 -o lab-ca.json --public lab-ca-keys.json"],
    ),
    ("ca list", &["perso ca list lab-ca-keys.json"]),
    (
        "ca certify",
        &[
            "perso ca certify lab-ca.json --key issuer --keys mine.json --issuer 476173 --expiry 2035-12 --serial 000001 -o lab-issuer.json",
        ],
    ),
    ("ledger init", &["perso ledger init lab-ledger.db"]),
    (
        "ledger list",
        &[
            "perso ledger list --ledger lab-ledger.db --state in-doubt --state spoiled",
            "perso ledger list --ledger lab-ledger.db --jobs --day 2026-01-31 --csv",
        ],
    ),
    ("ledger show", &["perso ledger show 3fa29c11d0b4 --ledger lab-ledger.db"]),
    ("ledger hold", &["perso ledger hold 3fa29c11d0b4 --ledger lab-ledger.db"]),
    ("ledger release", &["perso ledger release 3fa29c11d0b4 --ledger lab-ledger.db"]),
    ("ledger cancel", &["perso ledger cancel 3fa29c11d0b4 --ledger lab-ledger.db"]),
    ("ledger give-up", &["perso ledger give-up 3fa29c11d0b4 --reason \"no stock\" --ledger lab-ledger.db"]),
    ("ledger remake", &["perso ledger remake 3fa29c11d0b4 --second bert --ledger lab-ledger.db"]),
    ("ledger settle", &["perso ledger settle 3fa29c11d0b4 --destroyed --second bert --ledger lab-ledger.db"]),
    ("ledger made", &["perso ledger made 3fa29c11d0b4 --ledger lab-ledger.db"]),
    ("ledger reject", &["perso ledger reject 3fa29c11d0b4 --reason \"print is smeared\" --ledger lab-ledger.db"]),
    ("ledger hand-over", &["perso ledger hand-over 3fa29c11d0b4 --ledger lab-ledger.db"]),
    ("ledger ship", &["perso ledger ship 3fa29c11d0b4 --carrier post --tracking RR123456785 --ledger lab-ledger.db"]),
    ("ledger check", &["perso ledger check --ledger lab-ledger.db"]),
    ("config check", &["perso config check --config station.toml"]),
    ("config show", &["perso config show"]),
    ("readers", &["perso readers", "perso readers --watch --format json"]),
    ("card info", &["perso card info --reader sim:card.json"]),
    ("card apps", &["perso card apps --reader sim:card.json --keys keys.json"]),
    ("card data", &["perso card data --reader sim:card.json --aid A000000999"]),
    (
        "card apdu",
        &[
            "perso card apdu 00A4040000 80CA9F7F00 --reader sim:card.json",
            "perso card apdu - --reader sim:card.json < script.apdu",
            "perso card apdu 80F28002024F0000 --secure --keys keys.json --profile debit-aes-scp03 --reader sim:blank.json",
        ],
    ),
    ("explain-auth", &["perso explain-auth --reader sim:blank.json --keys keys.json"]),
    ("doctor", &["perso doctor --keys keys.json --profiles card-profiles"]),
    ("explain", &["perso explain CARD-CRYPTOGRAM", "perso explain 6A88", "perso explain"]),
    (
        "calc kcv",
        &["perso calc kcv --key lab-kmc-des --keys keys.json", "perso calc kcv --test-keys --key-from key.hex"],
    ),
    (
        "calc diversify",
        &["perso calc diversify --key lab-kmc-des --keys keys.json --kdd 00010203040506070809 --method emv-cps:4"],
    ),
    ("calc session-keys", &["perso calc session-keys --key lab-kmc-des --keys keys.json --sequence 0001"]),
    (
        "calc pin-block encode",
        &[
            "perso calc pin-block encode --to 0 --pin-from pin.txt --pan @pan.txt --key lab-zpk --keys keys.json --test-keys",
        ],
    ),
    ("calc pin-block decode", &["perso calc pin-block decode --from 2 --block - --test-keys < block2.hex"]),
    (
        "calc pin-block translate",
        &[
            "perso calc pin-block translate --block 27ACECF1337B293F --pan @pan.txt --key lab-zpk --to 3 --to-key lab-zpk --keys keys.json",
        ],
    ),
    ("calc cvv", &["perso calc cvv --test-keys --key-from key.hex --pan @pan.txt --expiry 2912 --service-code 201"]),
    ("calc pvv", &["perso calc pvv --test-keys --key-from key.hex --pan @pan.txt --pin-from pin.txt"]),
    (
        "calc offset",
        &["perso calc offset --test-keys --key-from key.hex --validation @validation.txt --pin-from pin.txt"],
    ),
    ("calc icc-key", &["perso calc icc-key --test-keys --key-from key.hex --pan @pan.txt --psn 01"]),
    (
        "calc arqc",
        &[
            "perso calc arqc --test-keys --key-from key.hex --pan @pan.txt --atc 0001 --data 00000000100000000000000008400000000000084022010100",
        ],
    ),
    (
        "calc arpc",
        &[
            "perso calc arpc --test-keys --key-from key.hex --pan @pan.txt --atc 0001 --arqc 0102030405060708 --arc 3030",
        ],
    ),
    ("calc tr31", &["perso calc tr31 @zpk-bank.block", "perso calc tr31 @zpk-bank.block --key kbpk --keys mine.json"]),
    ("calc tlv", &["perso calc tlv 6F0A8408A000000003000000", "perso calc tlv - < response.hex"]),
    ("calc dgi", &["perso calc dgi 01010770055703476173"]),
    ("calc dol", &["perso calc dol 9F02069F3704 --value 9F37=01020304"]),
    ("calc atr", &["perso calc atr 3B6800000073C84013009000"]),
    ("calc track", &["perso calc track - < track2.txt"]),
    (
        "calc luhn",
        &[
            "perso calc luhn 4111111111111111",
            "perso calc luhn 411111111111111 --compute",
            "perso calc luhn - < pan.txt",
        ],
    ),
    (
        "calc certificate",
        &[
            "perso calc certificate --ca-keys lab-ca-keys.json --rid A000000999 --index 91 --issuer-certificate @certificate.hex --issuer-remainder @remainder.hex",
        ],
    ),
];
