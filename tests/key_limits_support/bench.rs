//! A folder with a copy of the sample keys, and the program run in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use perso::keys::{SoftwareStore, file};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const SAMPLE: &str = "tests/samples/keys.test.json";

pub struct Bench(TempDir);

pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        std::fs::copy(root(SAMPLE), bench.keys()).unwrap();
        bench
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }

    pub fn keys(&self) -> String {
        self.path("keys.json")
    }

    pub fn store(&self) -> SoftwareStore {
        file::load(&std::fs::read(self.keys()).unwrap(), None).unwrap()
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A file that its owner alone can read.
    pub fn secret(&self, name: &str, text: &str) -> String {
        let path = self.file(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub fn perso(&self, arguments: &[&str]) -> Done {
        let mut command = Command::cargo_bin("perso").unwrap();
        let output = command.current_dir(self.folder()).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A command on a key file that needs the passphrase if it is sealed.
    pub fn keyed(&self, arguments: &[&str], keys: &str) -> Done {
        let passphrase = self.secret("passphrase", "cobalt heron lattice\n");
        self.perso(&[arguments, &["--keys", keys, "--passphrase-file", &passphrase]].concat())
    }

    pub fn import(&self, block: &str, kbpk: &str, name: &str, more: &[&str]) -> Done {
        let block = self.file("block", block);
        let base = ["keys", "import", "--keys", &self.keys(), "--name", name, "--kbpk", kbpk, "--block", &block];
        self.perso(&[&base[..], more].concat())
    }

    /// The import must fail with exit code 5 and these words, and change nothing.
    #[track_caller]
    pub fn refuses_import(&self, block: &str, kbpk: &str, words: &[&str]) {
        let before = std::fs::read(self.keys()).unwrap();
        let done = self.import(block, kbpk, "refused", &[]);
        assert!(done.code == 5 && words.iter().all(|word| done.err.contains(word)), "{words:?}: {}", done.err);
        assert_eq!(std::fs::read(self.keys()).unwrap(), before, "the key file was changed");
    }

    pub fn export(&self, key: &str, kbpk: &str, exportability: &str) -> Done {
        let base = ["keys", "export", key, "--kbpk", kbpk, "--keys", &self.keys()];
        self.perso(&[&base[..], &["--exportability", exportability]].concat())
    }

    pub fn calculates(&self, block: &str, kbpk: &str) -> String {
        let done = self.perso(&["calc", "tr31", block, "--keys", &self.keys(), "--key", kbpk]);
        assert_eq!(done.code, 0, "{}", done.err);
        done.out
    }

    /// A live key sealed under the passphrase `short`.
    pub fn older_live(&self) -> String {
        let keys = json!([{
            "name": "old", "zone": "", "purpose": "kek", "version": 1, "algorithm": "tdes2", "kcv": "08D7B4",
            "kcv_method": "des-zero", "test": false, "value": "0123456789ABCDEFFEDCBA9876543210",
        }]);
        let folder = self.folder().join("older");
        std::fs::create_dir_all(&folder).unwrap();
        super::live_keys::written_under("short", &folder, &keys).0
    }
}
