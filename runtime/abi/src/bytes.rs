//! Byte strings: formats, paths and names are bytes, not UTF-8.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A byte string with a lossless JSON encoding: a string when it is UTF-8, else an array of
/// numbers.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The text for a person: invalid UTF-8 becomes U+FFFD.
    pub fn display(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Encoded {
    Text(String),
    Raw(Vec<u8>),
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Encoded::deserialize(deserializer)? {
            Encoded::Text(text) => Self(text.into_bytes()),
            Encoded::Raw(bytes) => Self(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn json_keeps_every_byte() {
        for bytes in [&b"plain"[..], b"caf\xc3\xa9", b"\xff\x00\x80", b""] {
            let value = Bytes::from(bytes);
            let json = serde_json::to_string(&value).expect("encodes");
            let back: Bytes = serde_json::from_str(&json).expect("decodes");
            assert_eq!(back, value, "{json}");
        }
        let text = serde_json::to_string(&Bytes::from("a")).expect("encodes");
        assert_eq!(text, "\"a\"");
    }
}
