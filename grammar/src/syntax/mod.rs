//! The grammar, as [pest](https://pest.rs) rules.
//!
//! The rules say which texts are sentences. What a sentence means, the values of literals, the split of attach points
//! and every message are the front end's.

mod generated {
    #![expect(missing_docs, reason = "the rules are described in the grammar files")]

    use pest_derive::Parser;

    /// The parser that pest makes from the `*.pest` files.
    #[derive(Parser)]
    #[grammar = "src/syntax/1_tokens.pest"]
    #[grammar = "src/syntax/2_script.pest"]
    #[grammar = "src/syntax/3_statements.pest"]
    #[grammar = "src/syntax/4_expressions.pest"]
    #[grammar = "src/syntax/5_types.pest"]
    pub struct SyntaxParser;
}

pub use generated::{Rule, SyntaxParser};

#[cfg(test)]
mod tests {
    use pest::Parser as _;

    use super::{Rule, SyntaxParser};
    use crate::vocabulary::Builtin;

    #[test]
    fn the_grammar_reserves_what_the_vocabulary_reserves() {
        let is_reserved = |name: &str| {
            SyntaxParser::parse(Rule::reserved_builtin, name).is_ok_and(|pairs| pairs.as_str() == name)
        };
        for name in Builtin::names().chain(["arg7", "sarg1", "__builtin_x", "args2", "pidx"]) {
            assert_eq!(is_reserved(name), Builtin::is_reserved(name), "{name}");
        }
    }
}
