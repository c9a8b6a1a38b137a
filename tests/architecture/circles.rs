//! Files that import each other in a circle. A path is followed to the file that it names, and through a `mod.rs` that only
//! hands names on to the file that defines what is meant; such a `pub use` is no import, every other one is. A folder's `mod.rs` puts its own files together, and they use the
//! types that stand there: that is a folder, not a circle.

use super::source::{Source, is_word};
use std::collections::{BTreeMap, BTreeSet};
use syn::{Item, UseTree, Visibility};

/// A module: one file, with what it defines, imports and hands on.
struct Module {
    /// Modules below it, by name.
    children: BTreeMap<String, String>,
    /// Names of what it defines.
    items: BTreeSet<String>,
    /// Imported names, with the path behind each; `*` for a glob.
    uses: Vec<Use>,
}

struct Use {
    name: String,
    path: Vec<String>,
    public: bool,
}

/// Every file below `src` as modules, and which file takes what from which.
pub struct House {
    modules: BTreeMap<String, Module>,
    /// Importing file, defining file, names.
    arrows: BTreeMap<(String, String), BTreeSet<String>>,
}

impl House {
    /// Reads files; `lib.rs` is the root.
    pub fn new(files: &[(Source, String)]) -> Self {
        let names: Vec<Vec<String>> = files.iter().map(|(source, _)| module_of(&source.path)).collect();
        let mut modules = BTreeMap::new();
        for (at, (source, text)) in files.iter().enumerate() {
            if source.path == "main.rs" {
                continue;
            }
            let own = names.get(at).unwrap();
            let below =
                names.iter().enumerate().filter(|(_, name)| name.len() == own.len() + 1 && name.starts_with(own));
            let children = below.map(|(child, name)| (name.last().unwrap().clone(), files[child].0.path.clone()));
            modules.insert(source.path.clone(), Module::new(children.collect(), &source.path, text));
        }
        let mut house = Self { modules, arrows: BTreeMap::new() };
        for (source, _) in files.iter().filter(|(source, _)| source.path != "main.rs") {
            house.draw(source);
        }
        house
    }

    /// Notes what one file takes from others.
    fn draw(&mut self, source: &Source) {
        let module = self.modules.get(&source.path).unwrap();
        let handed_on: BTreeSet<&[String]> = match is_face(&source.path) {
            true => module.uses.iter().filter(|one| one.public).map(|one| one.path.as_slice()).collect(),
            false => BTreeSet::new(),
        };
        let mut found = Vec::new();
        for named in source.paths().into_iter().filter(|named| !named.test) {
            if !handed_on.contains(named.segments.as_slice()) {
                found.extend(self.defining(&source.path, &named.segments, 0));
            }
        }
        // A name that is handed on and used here too is an import.
        for one in module.uses.iter().filter(|one| one.public) {
            let is_type = one.name.starts_with(char::is_uppercase);
            let said = (0..source.tokens.len()).filter(|at| {
                let meant = is_type || ["(", "::"].contains(&source.text(at + 1));
                source.text(*at) == one.name && !source.tokens[*at].test && meant
            });
            // Once where it is handed on.
            if said.count() > usize::from(is_type) {
                found.extend(self.defining(&source.path, &one.path, 0));
            }
        }
        for (file, name) in found.into_iter().filter(|(file, _)| *file != source.path) {
            self.arrows.entry((source.path.clone(), file)).or_default().insert(name);
        }
    }

    /// The file that defines what a path names, seen from a file, and the name; nothing for other crates and for a
    /// module named as such.
    fn defining(&self, from: &str, path: &[String], depth: usize) -> Option<(String, String)> {
        let (first, rest) = path.split_first()?;
        // Names that lead to each other.
        if depth > 20 {
            return None;
        }
        let mut at = from.to_owned();
        let mut rest = rest;
        match first.as_str() {
            "crate" => at = "lib.rs".to_owned(),
            "self" => {}
            "super" => {
                at = self.above(&at)?;
                while let Some(("super", more)) = rest.split_first().map(|(word, more)| (word.as_str(), more)) {
                    at = self.above(&at)?;
                    rest = more;
                }
            }
            word => {
                let module = self.modules.get(from)?;
                if let Some(child) = module.children.get(word) {
                    at = child.clone();
                } else if let Some(one) = module.uses.iter().find(|one| one.name == *word && one.path != path) {
                    let whole: Vec<String> = one.path.iter().chain(rest).cloned().collect();
                    return self.defining(from, &whole, depth + 1);
                } else {
                    return None;
                }
            }
        }
        self.inside(&at, rest, depth)
    }

    /// What a path names inside a module.
    fn inside(&self, at: &str, path: &[String], depth: usize) -> Option<(String, String)> {
        let (first, rest) = path.split_first()?;
        let module = self.modules.get(at)?;
        if let Some(child) = module.children.get(first) {
            return self.inside(child, rest, depth);
        }
        // A name that a file has from elsewhere is taken from that file.
        let hands_on = is_face(at) && module.items.is_empty();
        let has = module.items.contains(first) || first == "*" || module.uses.iter().any(|one| one.name == *first);
        if has && !hands_on {
            return Some((at.to_owned(), first.clone()));
        }
        for one in &module.uses {
            let target = match one.name.as_str() {
                name if name == first => one.path.iter().chain(rest).cloned().collect::<Vec<String>>(),
                "*" => {
                    let head = one.path.split_last()?.1;
                    head.iter().chain(path).cloned().collect()
                }
                _ => continue,
            };
            if let Some(found) = self.defining(at, &target, depth + 1) {
                return Some(found);
            }
        }
        None
    }

    /// The module above a file's.
    fn above(&self, file: &str) -> Option<String> {
        self.modules
            .iter()
            .find(|(_, module)| module.children.values().any(|child| child == file))
            .map(|(at, _)| at.clone())
    }

    /// Groups of files that import each other in a circle, each with the arrows that tie it.
    pub fn circles(&self) -> Vec<String> {
        let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (from, to) in self.arrows.keys().filter(|(from, to)| !is_own_folder(from, to)) {
            next.entry(from).or_default().push(to);
        }
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            self.modules.keys().map(|file| (file.as_str(), reached(file, &next))).collect();
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for (file, reached) in &reach {
            if !reached.contains(file) || !seen.insert(*file) {
                continue;
            }
            let group: BTreeSet<&str> = reached.iter().copied().filter(|other| reach[other].contains(file)).collect();
            seen.extend(&group);
            let tied = self.arrows.iter().filter(|((from, to), _)| group.contains(&**from) && group.contains(&**to));
            let lines = tied.map(|((from, to), names)| {
                format!("  {from} -> {to}: {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            });
            out.push(format!("{} files in a circle:\n{}", group.len(), lines.collect::<Vec<_>>().join("\n")));
        }
        out
    }
}

fn reached<'a>(from: &'a str, next: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut out = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        open.extend(next.get(at).into_iter().flatten().filter(|other| out.insert(**other)));
    }
    out
}

/// Whether a file is a folder's own.
fn is_face(path: &str) -> bool {
    path.ends_with("mod.rs")
}

/// Whether one is the `mod.rs` of the folder in which the other stands, or of one above it.
fn is_own_folder(face: &str, other: &str) -> bool {
    face.strip_suffix("mod.rs").is_some_and(|folder| other.starts_with(folder))
}

impl Module {
    fn new(children: BTreeMap<String, String>, path: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut module = Self { children, items: BTreeSet::new(), uses: Vec::new() };
        for item in &file.items {
            module.add(item);
        }
        module
    }

    fn add(&mut self, item: &Item) {
        let name = match item {
            Item::Const(one) => &one.ident,
            Item::Enum(one) => &one.ident,
            Item::Fn(one) => &one.sig.ident,
            Item::Static(one) => &one.ident,
            Item::Struct(one) => &one.ident,
            Item::Trait(one) => &one.ident,
            Item::Type(one) => &one.ident,
            Item::Union(one) => &one.ident,
            // An inline module stands in this file.
            Item::Mod(one) if one.content.is_some() => &one.ident,
            Item::Use(one) => {
                let public = !matches!(one.vis, Visibility::Inherited);
                self.imports(&one.tree, &[], public);
                return;
            }
            _ => return,
        };
        self.items.insert(name.to_string());
    }

    fn imports(&mut self, tree: &UseTree, before: &[String], public: bool) {
        let with = |word: &syn::Ident| before.iter().cloned().chain([word.to_string()]).collect::<Vec<String>>();
        match tree {
            UseTree::Path(one) => self.imports(&one.tree, &with(&one.ident), public),
            UseTree::Name(one) => self.uses.push(Use { name: one.ident.to_string(), path: with(&one.ident), public }),
            UseTree::Rename(one) => {
                self.uses.push(Use { name: one.rename.to_string(), path: with(&one.ident), public });
            }
            UseTree::Glob(_) => {
                let path = before.iter().cloned().chain(["*".to_owned()]).collect();
                self.uses.push(Use { name: "*".to_owned(), path, public });
            }
            UseTree::Group(many) => many.items.iter().for_each(|one| self.imports(one, before, public)),
        }
    }
}

/// The path of modules that a file is: `card/gp/mod.rs` is `card`, `gp`.
fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let words = stem.split('/').filter(|word| !["lib", "mod"].contains(word));
    words.filter(|word| is_word(word)).map(str::to_owned).collect()
}
