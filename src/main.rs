//! The `perso` program. All of it stands in [`perso::cli`].

/// The version with the commit that it was built from, if that is known.
const VERSION: &str = match option_env!("PERSO_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

fn main() -> std::process::ExitCode {
    perso::cli::main(VERSION)
}
