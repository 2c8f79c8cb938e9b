//! Named options: what the command line says of those that the script asks for.

use btaot_abi::Bytes;
use btaot_abi::metadata::{NamedOption, OptionValue};
use btaot_abi::params::parse_integer;
use thiserror::Error;

/// Why a named option cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OptionError {
    /// A number is asked for.
    #[error("option --{name} is a number, but `{text}` is none")]
    NotANumber {
        /// The option.
        name: String,
        /// What was given.
        text: String,
    },
    /// A truth value is asked for.
    #[error("option --{name} is true or false, not `{text}`")]
    NotATruth {
        /// The option.
        name: String,
        /// What was given.
        text: String,
    },
    /// Something must be given.
    #[error("option --{name} needs a value: --{name}=…")]
    NoValue {
        /// The option.
        name: String,
    },
}

/// The values of all options.
#[derive(Debug)]
pub struct Values(Vec<(Bytes, OptionValue)>);

impl Values {
    /// Reads what was given; of an option that was given twice the last counts.
    pub fn new(options: &[NamedOption], given: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<Self, OptionError> {
        let mut values = Vec::with_capacity(options.len());
        for option in options {
            let last = given.iter().rev().find(|(name, _)| *name == option.name[..]);
            let value = match last {
                None => option.default.clone(),
                Some((_, text)) => read(option, text.as_deref())?,
            };
            values.push((option.name.clone(), value));
        }
        Ok(Self(values))
    }

    fn get(&self, name: &Bytes) -> Option<&OptionValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The bits of a number or truth value.
    pub fn int(&self, name: &Bytes) -> u64 {
        match self.get(name) {
            Some(OptionValue::Int(value)) => value.cast_unsigned(),
            Some(OptionValue::Bool(value)) => u64::from(*value),
            Some(OptionValue::Text(_)) | None => 0,
        }
    }

    /// A text.
    pub fn text(&self, name: &Bytes) -> &[u8] {
        match self.get(name) {
            Some(OptionValue::Text(text)) => text,
            _ => &[],
        }
    }
}

fn read(option: &NamedOption, text: Option<&[u8]>) -> Result<OptionValue, OptionError> {
    let name = || option.name.display().into_owned();
    let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    match (&option.default, text) {
        (OptionValue::Bool(_), None) => Ok(OptionValue::Bool(true)),
        (OptionValue::Bool(_), Some(text)) => match text.to_ascii_lowercase().as_slice() {
            b"true" | b"1" => Ok(OptionValue::Bool(true)),
            b"false" | b"0" => Ok(OptionValue::Bool(false)),
            _ => Err(OptionError::NotATruth { name: name(), text: shown(text) }),
        },
        (OptionValue::Int(_), Some(text)) => parse_integer(text)
            .map(OptionValue::Int)
            .ok_or_else(|| OptionError::NotANumber { name: name(), text: shown(text) }),
        (OptionValue::Text(_), Some(text)) => Ok(OptionValue::Text(text.into())),
        (OptionValue::Int(_) | OptionValue::Text(_), None) => Err(OptionError::NoValue { name: name() }),
    }
}

#[cfg(test)]
mod tests {
    use btaot_abi::metadata::{NamedOption, OptionValue};

    use super::{OptionError, Values};

    fn value(default: OptionValue, given: &[Option<&str>]) -> Result<(u64, Vec<u8>), OptionError> {
        let options = [NamedOption { name: "n".into(), default, description: None }];
        let given: Vec<_> =
            given.iter().map(|text| (b"n".to_vec(), text.map(|text| text.as_bytes().to_vec()))).collect();
        let values = Values::new(&options, &given)?;
        Ok((values.int(&"n".into()), values.text(&"n".into()).to_vec()))
    }

    #[test]
    fn the_default_decides_the_type() {
        let (bool, int, text) =
            (OptionValue::Bool(true), OptionValue::Int(7), OptionValue::Text("anon".into()));
        assert_eq!(value(bool.clone(), &[]), Ok((1, vec![])));
        assert_eq!(value(bool.clone(), &[Some("False")]), Ok((0, vec![])));
        assert_eq!(value(OptionValue::Bool(false), &[None]), Ok((1, vec![])));
        assert_eq!(value(int.clone(), &[]), Ok((7, vec![])));
        assert_eq!(value(int.clone(), &[Some("1"), Some("0x10")]), Ok((16, vec![])));
        assert_eq!(value(text.clone(), &[]), Ok((0, b"anon".to_vec())));
        assert_eq!(value(text, &[Some("")]), Ok((0, vec![])));
        let (name, text) = ("n".to_owned(), "maybe".to_owned());
        assert_eq!(
            value(bool, &[Some("maybe")]),
            Err(OptionError::NotATruth { name: name.clone(), text: text.clone() })
        );
        assert_eq!(
            value(int.clone(), &[Some("maybe")]),
            Err(OptionError::NotANumber { name: name.clone(), text })
        );
        assert_eq!(value(int, &[None]), Err(OptionError::NoValue { name }));
    }
}
