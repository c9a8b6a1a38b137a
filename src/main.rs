//! The `perso` program. All of it stands in [`perso::cli`].

fn main() -> std::process::ExitCode {
    perso::cli::main()
}
