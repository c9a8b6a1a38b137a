//! The product of a laboratory: a sample profile with its own name, AIDs and key names.

use crate::base::suggest;
use crate::cli::args::InitLabArgs;
use crate::cli::common::{self, CliError, Problem};
use crate::cli::keys_needed;
use crate::keys::Purpose;
use crate::profile::Profile;

/// Longest name of a product: names of keys begin with it.
const LONGEST_NAME: usize = 40;
/// How the sample profiles' key names begin.
const SAMPLE_KEYS: &str = "\"lab-";
/// The PANs that are published for tests of cards.
const VISA_PAN: &str = "4761739001010119";
const MASTERCARD_PAN: &str = "5413330089010434";

/// A sample product.
struct Kit {
    sample: &'static str,
    profile: &'static str,
    /// Each payment application: its AID in the sample, and the id that the product's profile uses.
    applications: &'static [(&'static str, &'static str)],
    pan: &'static str,
    /// As Pismo calls the scheme.
    brand: &'static str,
    contactless: bool,
}

const KITS: [Kit; 4] = [
    Kit {
        sample: "visa-like-debit",
        profile: include_str!("../../../card-profiles/visa-like-debit.toml"),
        applications: &[("A0000009990301", "debit")],
        pan: VISA_PAN,
        brand: "VISA",
        contactless: true,
    },
    Kit {
        sample: "visa-like-contact",
        profile: include_str!("../../../card-profiles/visa-like-contact.toml"),
        applications: &[("A0000009990301", "debit")],
        pan: VISA_PAN,
        brand: "VISA",
        contactless: false,
    },
    Kit {
        sample: "visa-like-combo",
        profile: include_str!("../../../card-profiles/visa-like-combo.toml"),
        applications: &[("A0000009990501", "debit"), ("A0000009990502", "credit")],
        pan: VISA_PAN,
        brand: "VISA",
        contactless: true,
    },
    Kit {
        sample: "mastercard-like-debit",
        profile: include_str!("../../../card-profiles/mastercard-like-debit.toml"),
        applications: &[("A0000009990401", "debit")],
        pan: MASTERCARD_PAN,
        brand: "MASTERCARD",
        contactless: true,
    },
];

/// The product of a laboratory.
pub(super) struct Product {
    kit: &'static Kit,
    name: String,
    aids: Vec<Vec<u8>>,
    rid: [u8; 5],
    text: String,
    profile: Profile,
}

impl Product {
    /// The product that was asked for.
    ///
    /// # Errors
    /// There is no such sample, or name or AIDs do not suit.
    pub(super) fn of(args: &InitLabArgs) -> Result<Self, CliError> {
        let wrong = |option, why: String| CliError::Option { option, why };
        let kit = KITS.iter().find(|kit| kit.sample == args.product).ok_or_else(|| {
            let names = KITS.iter().map(|kit| kit.sample);
            let meant = suggest::hint(&args.product, names.clone());
            wrong("--product", format!("must be one of {}{meant}", names.collect::<Vec<_>>().join(", ")))
        })?;
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if args.name.is_empty() || args.name.len() > LONGEST_NAME || !args.name.chars().all(good) {
            let why = format!("must be 1 to {LONGEST_NAME} small letters, digits and hyphens");
            return Err(wrong("--name", why));
        }
        let given: Vec<Vec<u8>> = args.aid.iter().map(|aid| common::aid("--aid", aid)).collect::<Result<_, _>>()?;
        let aids = match (given.len(), kit.applications.len()) {
            (0, _) => kit.applications.iter().map(|(aid, _)| common::aid("--aid", aid)).collect::<Result<_, _>>()?,
            (seen, wanted) if seen != wanted => {
                let ids: Vec<&str> = kit.applications.iter().map(|(_, id)| *id).collect();
                let why = format!("give it once for each application of {} ({})", kit.sample, ids.join(", "));
                return Err(wrong("--aid", why));
            }
            _ => given,
        };
        let rid = rid(&aids).ok_or_else(|| {
            wrong("--aid", "all AIDs must begin with the same five bytes (RID): one CA certifies the issuer".into())
        })?;
        let text = text(kit, &args.name, &aids);
        let profile = Profile::parse(&text).map_err(|problems| CliError::Refused {
            what: format!("the product with this --aid and --name ({})", kit.sample),
            problems: problems.into_iter().map(|it| Problem::new(it.path, it.code, it.message)).collect(),
        })?;
        if aids.iter().any(|aid| aid == profile.domain()) {
            return Err(wrong("--aid", "it is the AID of the issuer security domain; give the application's".into()));
        }
        Ok(Self { kit, name: args.name.clone(), aids, rid, text, profile })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The sample that it began with.
    pub(super) fn sample(&self) -> &'static str {
        self.kit.sample
    }

    /// Its profile's file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its profile.
    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Names of its keys for these purposes, each once.
    pub(super) fn key_names(&self, purposes: &[Purpose]) -> Vec<String> {
        let wanted = keys_needed::wanted(&self.profile);
        wanted.into_iter().filter(|key| purposes.contains(&key.purpose)).map(|key| key.name).collect()
    }

    /// AIDs of its payment applications.
    pub(super) fn aids(&self) -> &[Vec<u8>] {
        &self.aids
    }

    /// Ids of its payment applications, as its profile has them.
    pub(super) fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.kit.applications.iter().map(|(_, id)| *id)
    }

    /// The scheme: the first five bytes of its AIDs.
    pub(super) fn rid(&self) -> [u8; 5] {
        self.rid
    }

    /// The PAN of its cards.
    pub(super) fn pan(&self) -> &'static str {
        self.kit.pan
    }

    /// As Pismo calls its scheme.
    pub(super) fn brand(&self) -> &'static str {
        self.kit.brand
    }

    /// Whether it works without contacts too.
    pub(super) fn is_contactless(&self) -> bool {
        self.kit.contactless
    }

    /// The first six digits of its PANs.
    pub(super) fn pan_range(&self) -> &'static str {
        self.kit.pan.get(..6).unwrap_or_default()
    }

    /// The same as an issuer's certificate holds it.
    pub(super) fn issuer_id(&self) -> [u8; 4] {
        let mut id = [0xFF; 4];
        // The sample PANs are digits.
        let _ = hex::decode_to_slice(self.pan_range(), id.get_mut(..3).unwrap_or_default());
        id
    }
}

/// The first five bytes that all of them have.
fn rid(aids: &[Vec<u8>]) -> Option<[u8; 5]> {
    let mut rids = aids.iter().map(|aid| aid.first_chunk::<5>().copied());
    let first = rids.next()??;
    rids.all(|rid| rid == Some(first)).then_some(first)
}

/// The sample's profile with its own name, key names and AIDs; each AID is stated once.
fn text(kit: &Kit, name: &str, aids: &[Vec<u8>]) -> String {
    let lines = kit.profile.lines().skip_while(|line| line.starts_with('#'));
    let body: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut body = body
        .replacen(&format!("name = \"{}\"", kit.sample), &format!("name = \"{name}\""), 1)
        .replace(SAMPLE_KEYS, &format!("\"{name}-"));
    for ((sample, id), aid) in kit.applications.iter().zip(aids) {
        body = with_aid(&body, sample, id, &hex::encode_upper(aid));
    }
    format!(
        "# A product of this laboratory, begun with the sample {}. It is not a scheme's personalization template: those are\n\
         # confidential. An [[application]] states its AID once; its id stands for the AID everywhere else.\n{body}",
        kit.sample
    )
}

/// The AID of an application, stated once, and its id in all other places.
fn with_aid(body: &str, sample: &str, id: &str, aid: &str) -> String {
    let quoted = format!("\"{sample}\"");
    let stated = format!("[[application]]\naid = {quoted}\n");
    let named = |text: &str| {
        text.replace(&format!("fixed = {quoted}"), &format!("aid = \"{id}\"")).replace(&quoted, &format!("\"{id}\""))
    };
    match body.split_once(&stated) {
        Some((before, after)) => {
            format!("{}[[application]]\naid = \"{aid}\"\nid = \"{id}\"\n{}", named(before), named(after))
        }
        None => named(body),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn args(product: &str, name: &str, aid: &[&str]) -> InitLabArgs {
        InitLabArgs {
            folder: "lab".into(),
            aid: aid.iter().map(|aid| (*aid).to_owned()).collect(),
            name: name.into(),
            product: product.into(),
        }
    }

    /// With the sample's AIDs and key names it is the sample's profile, by its hash.
    #[test]
    fn product_is_its_sample_with_each_aid_stated_once() {
        for kit in &KITS {
            let product = Product::of(&args(kit.sample, "lab", &[])).unwrap();
            for (aid, _) in kit.applications {
                assert_eq!(product.text().matches(aid).count(), 1, "{}", kit.sample);
            }
            let named = product.text().replacen("name = \"lab\"", &format!("name = \"{}\"", kit.sample), 1);
            let (made, sample) = (Profile::parse(&named).unwrap(), Profile::parse(kit.profile).unwrap());
            assert_eq!(made.hash(), sample.hash(), "{}", kit.sample);
            assert!(product.pan().starts_with(product.pan_range()));
            assert_eq!(hex::encode_upper(product.issuer_id()), format!("{}FF", product.pan_range()));
        }
    }

    #[test]
    fn own_aid_name_and_keys_replace_those_of_the_sample() {
        for kit in &KITS {
            let own = ["D27600002545500201", "D27600002545500202"];
            let own = own.get(..kit.applications.len()).unwrap();
            let product = Product::of(&args(kit.sample, "acme-gold", own)).unwrap();
            for (aid, _) in kit.applications {
                assert!(!product.text().contains(aid), "{}", kit.sample);
            }
            let body = product.text().split_once("perso_profile").unwrap().1;
            assert!(!body.contains("\"lab-") && !body.contains(kit.sample), "{body}");
            let recipe = product.profile().recipe().unwrap();
            let seen: Vec<String> = recipe.applications().iter().map(|app| hex::encode_upper(&app.aid)).collect();
            assert!(own.iter().all(|aid| seen.contains(&(*aid).to_owned())), "{seen:?}");
            assert_eq!(hex::encode_upper(product.rid()), "D276000025");
        }
    }

    #[test]
    fn options_that_no_product_has_are_refused() {
        let debit = "visa-like-debit";
        for (product, name, aid, says) in [
            ("visa-like-debt", "a", &[][..], "did you mean visa-like-debit?"),
            ("debit-aes-scp03", "a", &[], "must be one of visa-like-debit"),
            (debit, "", &[], "--name"),
            (debit, "Gold", &[], "--name"),
            (debit, &"a".repeat(41), &[], "--name"),
            (debit, "a", &["A000"], "5 to 16 bytes"),
            (debit, "a", &["D27600002545500201", "D27600002545500202"], "once for each application"),
            (debit, "a", &["A000000151000000"], "security domain"),
            (debit, "a", &["325041592E5359532E4444463031"], "refused"),
            ("visa-like-combo", "a", &["D27600002545500201"], "(debit, credit)"),
            ("visa-like-combo", "a", &["D27600002545500201", "A0000009990502"], "same five bytes"),
            ("visa-like-combo", "a", &["D27600002545500201", "D27600002545500201"], "refused"),
        ] {
            let refused = Product::of(&args(product, name, aid)).err().unwrap().to_string();
            assert!(refused.contains(says), "{product} {name} {aid:?}: {refused}");
        }
    }
}
