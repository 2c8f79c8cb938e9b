//! The binaries that a script traces.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use btaot_abi::metadata::Target as Attach;
use btaot_frontend::Sources;

use super::Clause;
use crate::structs::Binary;

/// The binaries with the places that the script traces in them, in source order.
pub(crate) fn binaries(clauses: &[Clause<'_>], sources: &Sources) -> Vec<Binary> {
    let mut found: Vec<Binary> = Vec::new();
    let groups = clauses.iter().flat_map(|clause| &clause.groups);
    for point in groups.flat_map(|group| &group.attach) {
        let Attach::Uprobe(uprobe) = &point.target else { continue };
        let number = found.iter().position(|binary| binary.path == uprobe.path).unwrap_or_else(|| {
            let words = words(sources);
            found.push(Binary {
                path: uprobe.path.clone(),
                places: Vec::new(),
                words,
                types: OnceCell::new(),
            });
            found.len() - 1
        });
        if !found[number].places.contains(&uprobe.place) {
            found[number].places.push(uprobe.place.clone());
        }
    }
    found
}

/// All words of the script that may be names.
fn words(sources: &Sources) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let all = sources.iter().flat_map(|source| source.text().split(move |letter| !is_part(letter)));
    all.filter(|word| word.starts_with(|first: char| !first.is_ascii_digit())).map(str::to_owned).collect()
}
