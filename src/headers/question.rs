//! What the compiler is asked.

use std::collections::{BTreeMap, BTreeSet};

use btaot_btf::{Btf, Def, Kind};
use btaot_frontend::Sources;

use super::OURS;
use super::clang::{Clang, Compiled, first_error};

/// Rounds of asking: each makes types complete that the one before only named.
const ROUNDS: usize = 4;
/// Rounds of taking lines out: one that is not understood may hide another.
const REJECTIONS: usize = 8;

/// Says whether a type of that kind and name is known anyway.
pub type Known<'k> = dyn Fn(Kind, &str) -> bool + 'k;

/// Words of a script, which may be names of a header.
#[derive(Clone, Default)]
pub struct Words {
    pub names: BTreeSet<String>,
    /// Those behind `struct`, `union` and `enum`.
    tags: BTreeSet<(String, String)>,
    /// Whether only constants are asked for.
    only_constants: bool,
}

impl Words {
    pub fn of(sources: &Sources) -> Self {
        let mut found = Self::default();
        for source in sources.iter() {
            let text = String::from_utf8_lossy(source.bytes()).into_owned();
            let words = split(&text);
            for pair in words.windows(2) {
                if ["struct", "union", "enum"].contains(&pair[0]) {
                    found.tags.insert((pair[0].to_owned(), pair[1].to_owned()));
                }
            }
            found.names.extend(words.into_iter().map(str::to_owned));
        }
        found
    }

    /// Those that are macros, as constants.
    pub fn constants_of(&self, macros: &BTreeMap<String, String>) -> Self {
        let names = self.names.iter().filter(|name| macros.contains_key(*name)).cloned().collect();
        Self { names, tags: BTreeSet::new(), only_constants: true }
    }
}

fn split(text: &str) -> Vec<&str> {
    let is_word = |word: &&str| word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(is_word).collect()
}

/// The headers, and a line for each name.
pub struct Question {
    preamble: String,
    words: Words,
    rejected: BTreeSet<String>,
}

impl Question {
    pub fn new(preamble: String, words: Words) -> Self {
        Self { preamble, words, rejected: BTreeSet::new() }
    }

    /// What the compiler knows of the names. Types that `known` knows need not be complete.
    pub fn ask(&mut self, clang: &Clang, known: &Known<'_>) -> Result<Compiled, String> {
        let mut found = self.compile(clang)?;
        for _ in 1..ROUNDS {
            if !self.incomplete(&found.btf, known) {
                break;
            }
            found = self.compile(clang)?;
        }
        Ok(found)
    }

    /// Takes lines out that mean nothing, until the rest can be compiled.
    fn compile(&mut self, clang: &Clang) -> Result<Compiled, String> {
        for _ in 0..REJECTIONS {
            let (text, lines) = self.text();
            let messages = match clang.compile(&text)? {
                Ok(compiled) => return Ok(compiled),
                Err(messages) => messages,
            };
            let wrong = |message: &str| -> Option<usize> {
                let rest = message.strip_prefix("<stdin>:")?;
                rest.contains("error:").then(|| rest.split(':').next()?.parse().ok()).flatten()
            };
            let before = self.rejected.len();
            let wrong = messages.lines().filter_map(wrong).filter_map(|line| lines.get(&line).cloned());
            self.rejected.extend(wrong);
            if self.rejected.len() == before {
                return Err(first_error(&messages));
            }
        }
        Err("its messages have no end".to_owned())
    }

    /// The text, and the name that each line of it asks for.
    fn text(&self) -> (String, BTreeMap<usize, String>) {
        let mut text = self.preamble.clone();
        let mut lines = BTreeMap::new();
        let mut line = text.lines().count();
        let mut ask = |key: String, question: String| {
            if !self.rejected.contains(&key) {
                line += 1;
                lines.insert(line, key);
                text.push_str(&question);
                text.push('\n');
            }
        };
        for (index, (tag, name)) in self.words.tags.iter().enumerate() {
            ask(format!("{tag} {name}"), format!("{tag} {name} *{OURS}g{index};"));
        }
        for (index, name) in self.words.names.iter().enumerate() {
            if !self.words.only_constants {
                ask(
                    format!("type {name}"),
                    format!("typedef {name} {OURS}p{index}; {name} *{OURS}t{index};"),
                );
            }
            let constant = format!("enum {OURS}e{index} {{ {OURS}c_{name} = ({name}) }} {OURS}v{index};");
            ask(format!("constant {name}"), constant);
        }
        (text, lines)
    }

    /// Adds types that are only named so far; says whether there are any.
    fn incomplete(&mut self, btf: &[u8], known: &Known<'_>) -> bool {
        let Ok(types) = Btf::scan(btf, None) else { return false };
        let before = self.words.tags.len();
        for id in types.own_ids() {
            if let Def::Fwd { union } = types.def(id)
                && !known(if union { Kind::Union } else { Kind::Struct }, types.name(id))
            {
                let tag = if union { "union" } else { "struct" };
                self.words.tags.insert((tag.to_owned(), types.name(id).to_owned()));
            }
        }
        self.words.tags.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_names_of_c() {
        assert_eq!(split("$a->b9 + 0x1f; struct _s x-1"), ["a", "b9", "struct", "_s", "x"]);
    }
}
