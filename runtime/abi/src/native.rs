//! The section `.btaot.maps` of native objects: the maps that the code refers to by index.
//!
//! It is made for C: fixed-size little-endian records, 8-byte aligned, so that a driver reads it through a
//! `struct` (`docs/native.md` gives it). A header is followed by the maps, and these by initial values.

use thiserror::Error;

/// The first four bytes of the section.
pub const MAGIC: [u8; 4] = *b"BTM1";
/// The name of the section.
pub const SECTION: &str = ".btaot.maps";

const HEADER: usize = 16;
const NAME: usize = 64;
const MAP: usize = NAME + 32;
const VALUE: usize = NAME + 16;
const NO_INNER: u32 = u32::MAX;
const OF_MAP: u32 = 0;
const OF_PROGRAM: u32 = 1;

/// A map that native code refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapDefinition {
    /// Its name, at most 63 bytes.
    pub name: String,
    /// Its kind (`enum bpf_map_type` of the kernel).
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The most entries, or the bytes of a ring.
    pub max_entries: u32,
    /// The flags of its creation (`BPF_F_…`).
    pub flags: u32,
    /// For a map of maps: the index of the map that serves as template of the inner ones.
    pub inner: Option<u32>,
    /// What its slots hold from the start.
    pub values: Vec<(u32, InitialValue)>,
}

/// What a slot of a map of maps or of a program array holds from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialValue {
    /// A map, by index.
    Map(u32),
    /// A program, by name.
    Program(String),
}

/// Why a section is not a table of maps.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MapTableError {
    /// It begins with something else.
    #[error("the section .btaot.maps does not begin with BTM1")]
    Magic,
    /// It ends too early.
    #[error("the section .btaot.maps is cut off")]
    Truncated,
    /// It refers to a map that it does not define.
    #[error("the section .btaot.maps refers to map {0}, which it does not define")]
    Index(u32),
}

/// Writes the section; nothing for no maps.
pub fn encode(maps: &[MapDefinition]) -> Vec<u8> {
    if maps.is_empty() {
        return Vec::new();
    }
    let values: usize = maps.iter().map(|map| map.values.len()).sum();
    let mut bytes = MAGIC.to_vec();
    numbers(&mut bytes, &[maps.len() as u32, values as u32, 0]);
    for map in maps {
        name(&mut bytes, &map.name);
        let inner = map.inner.unwrap_or(NO_INNER);
        numbers(
            &mut bytes,
            &[map.kind, map.key_size, map.value_size, map.max_entries, map.flags, inner, 0, 0],
        );
    }
    for (index, map) in maps.iter().enumerate() {
        for (slot, value) in &map.values {
            let (kind, of, program) = match value {
                InitialValue::Map(of) => (OF_MAP, *of, ""),
                InitialValue::Program(program) => (OF_PROGRAM, 0, program.as_str()),
            };
            numbers(&mut bytes, &[index as u32, *slot, kind, of]);
            name(&mut bytes, program);
        }
    }
    bytes
}

/// Reads the section.
///
/// # Errors
///
/// [`MapTableError`] when it is not one that [`encode`] wrote.
pub fn decode(section: &[u8]) -> Result<Vec<MapDefinition>, MapTableError> {
    let (header, rest) = section.split_at_checked(HEADER).ok_or(MapTableError::Truncated)?;
    if header[..4] != MAGIC {
        return Err(MapTableError::Magic);
    }
    let (count, values) = (number(header, 4) as usize, number(header, 8) as usize);
    let end = count.checked_mul(MAP).ok_or(MapTableError::Truncated)?;
    let (records, rest) = rest.split_at_checked(end).ok_or(MapTableError::Truncated)?;
    let mut maps: Vec<MapDefinition> = records.chunks_exact(MAP).map(definition).collect();
    let end = values.checked_mul(VALUE).ok_or(MapTableError::Truncated)?;
    let records = rest.get(..end).ok_or(MapTableError::Truncated)?;
    for record in records.chunks_exact(VALUE) {
        let (owner, slot, kind, of) =
            (number(record, 0), number(record, 4), number(record, 8), number(record, 12));
        let value = match kind {
            OF_MAP if of as usize >= count => return Err(MapTableError::Index(of)),
            OF_MAP => InitialValue::Map(of),
            _ => InitialValue::Program(text(&record[16..])),
        };
        let owner = maps.get_mut(owner as usize).ok_or(MapTableError::Index(owner))?;
        owner.values.push((slot, value));
    }
    match maps.iter().filter_map(|map| map.inner).find(|inner| *inner as usize >= count) {
        Some(inner) => Err(MapTableError::Index(inner)),
        None => Ok(maps),
    }
}

fn definition(record: &[u8]) -> MapDefinition {
    let field = |index: usize| number(record, NAME + 4 * index);
    MapDefinition {
        name: text(&record[..NAME]),
        kind: field(0),
        key_size: field(1),
        value_size: field(2),
        max_entries: field(3),
        flags: field(4),
        inner: Some(field(5)).filter(|inner| *inner != NO_INNER),
        values: Vec::new(),
    }
}

fn numbers(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// A name in its field; a longer one is cut, at a character, so that a zero always ends it.
fn name(bytes: &mut Vec<u8>, name: &str) {
    let mut len = name.len().min(NAME - 1);
    while !name.is_char_boundary(len) {
        len -= 1;
    }
    bytes.extend(&name.as_bytes()[..len]);
    bytes.resize(bytes.len() + NAME - len, 0);
}

fn number(record: &[u8], at: usize) -> u32 {
    record.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let array = MapDefinition {
            name: "jumps".to_owned(),
            kind: 3,
            key_size: 4,
            value_size: 4,
            max_entries: 2,
            values: vec![(1, InitialValue::Program("next".to_owned()))],
            ..MapDefinition::default()
        };
        let outer = MapDefinition {
            name: "é".repeat(40),
            inner: Some(0),
            values: vec![(0, InitialValue::Map(0))],
            ..MapDefinition::default()
        };
        let bytes = encode(&[array.clone(), outer.clone()]);
        assert_eq!(bytes.len(), HEADER + 2 * MAP + 2 * VALUE);
        let cut = MapDefinition { name: "é".repeat(31), ..outer };
        assert_eq!(decode(&bytes), Ok(vec![array, cut]));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), Err(MapTableError::Truncated));
        assert_eq!(decode(&[0; 16]), Err(MapTableError::Magic));
        assert_eq!(encode(&[]), Vec::<u8>::new());
    }
}
