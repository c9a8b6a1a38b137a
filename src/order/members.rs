//! Members of a foreign order, as our own order takes them over.

use super::file::Values;
use super::json::Node;

pub(super) fn text(node: &Node, name: &str) -> String {
    node.text(name).unwrap_or_default().to_owned()
}

pub(super) fn option(node: &Node, name: &str) -> Option<String> {
    node.text(name).map(str::to_owned)
}

/// The values below these members, by their paths, but for members of these names.
pub(super) fn leaves(node: &Node, members: &[&str], without: &[&str]) -> Values {
    let mut values = Values::default();
    for name in members {
        let Some(member) = node.get(name) else { continue };
        member.leaves(name, &mut |path, value| {
            if !path.split('.').any(|part| without.contains(&part)) {
                values.0.insert(path.to_owned(), value);
            }
        });
    }
    values
}
