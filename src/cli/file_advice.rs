//! Which command or option takes a file of which kind.

use crate::issuance::file_kind::FileKind;

/// The command or option that takes it; `None` if no command does.
pub fn taken_by(kind: &FileKind) -> Option<&'static str> {
    Some(match kind {
        FileKind::Order => "`perso run FILE` or `perso prepare FILE` takes it, `perso check FILE` examines it",
        FileKind::Record => "`perso run FILE` takes it, `perso record show FILE` shows it",
        FileKind::ClearRecord => "`perso record seal FILE` takes it",
        FileKind::KeyFile => "the option --keys takes it, `perso keys list FILE` lists it",
        FileKind::CaKeys => "the option --ca-keys takes it, `perso ca list FILE` lists it",
        FileKind::TestCa => "`perso ca certify FILE` takes it",
        FileKind::IssuerCertificate => "the option --issuer-certificate of `perso run` and `perso prepare` takes it",
        FileKind::Pool => {
            "the option --pool of `perso run` and `perso prepare` takes it, `perso pool status FILE` counts it"
        }
        FileKind::SimulatedCard => "`--reader sim:FILE` takes it",
        FileKind::Journal => "the option --journal of `perso run` takes it",
        FileKind::Trace => "`perso trace show FILE` takes it",
        FileKind::Profile => "the option --profiles takes its folder, `perso check FILE` examines it",
        FileKind::Site => "the option --site takes it",
        FileKind::Config => "the option --config takes it, `perso config check` examines it",
        FileKind::KeyBlock => "`perso keys import --block FILE` takes it, `perso calc tr31 @FILE` shows its header",
        FileKind::Pem(_)
        | FileKind::Der
        | FileKind::D1Body
        | FileKind::Fulfilment
        | FileKind::Output
        | FileKind::Jwe
        | FileKind::Jws
        | FileKind::Csv
        | FileKind::Xml
        | FileKind::Html
        | FileKind::Zip
        | FileKind::Gzip
        | FileKind::Pdf
        | FileKind::Picture
        | FileKind::Program
        | FileKind::Utf16
        | FileKind::Empty
        | FileKind::Json
        | FileKind::Toml
        | FileKind::Text
        | FileKind::Binary => return None,
    })
}

/// What to do with a file of this kind if another kind is wanted, with a full stop.
pub fn advice(kind: &FileKind) -> String {
    match (taken_by(kind), kind) {
        (Some(taken_by), _) => format!("Name another file; {taken_by}."),
        (None, FileKind::Empty) => "Have the file copied again; it has no content.".into(),
        (None, FileKind::D1Body) => "Name the whole order; docs/orders.md describes the envelope.".into(),
        (None, FileKind::Zip | FileKind::Gzip) => "Unpack it and name the file that was in it.".into(),
        (None, FileKind::Utf16) => "Save it as UTF-8.".into(),
        (None, FileKind::Jwe) => {
            "Name the order that has it as its encrypted card data; docs/orders.md shows where.".into()
        }
        (None, FileKind::Output) => "Name the file that it was made from.".into(),
        (None, _) => "Name another file; no command of perso reads this kind.".into(),
    }
}
