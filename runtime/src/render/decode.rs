//! The one decoder: the bytes of an event, key or map value become values that borrow from them.

use std::cmp::Ordering;

use btaot_abi::ids::StrftimeId;
use btaot_abi::value::{Aggregate, Field, NAMED_BY_PROBE, Stack, StackKey, ValueType};
use thiserror::Error;

/// Bytes that do not hold what the metadata says. Both sides were written together, so this is a mistake of
/// this program or of whoever changed the tool, not of the script.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("a record holds {found} bytes where {wanted} are due")]
pub struct ShortValue {
    /// Bytes there are.
    pub found: usize,
    /// Bytes there should be.
    pub wanted: usize,
}

/// A value as it stands in memory. Aggregates are decoded one field at a time, by their iterators.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A signed integer.
    Signed(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A truth value.
    Bool(bool),
    /// Text without its NUL.
    Str {
        /// The text.
        text: &'a [u8],
        /// There was no room for a NUL: the text was cut.
        cut: bool,
    },
    /// Raw bytes.
    Buf(&'a [u8]),
    /// An address.
    Pointer(u64),
    /// An enumerator.
    Enum {
        /// Its number, sign-extended when the type is signed.
        number: u64,
        /// Whether the number is signed.
        signed: bool,
        /// Its name; `None` when the type has no enumerator of that number.
        name: Option<&'a [u8]>,
    },
    /// Elements of one type.
    Array(Elements<'a>),
    /// Unnamed fields.
    Tuple(Fields<'a>),
    /// Named fields.
    Record(Fields<'a>),
    /// A kernel stack.
    KernelStack(Stack, StackKey),
    /// A user stack with its process id.
    UserStack(Stack, StackKey, u32),
    /// A kernel address.
    KernelSymbol(u64),
    /// A user address with its process id.
    UserSymbol(u64, u32),
    /// A user id.
    Username(u64),
    /// Address family and address.
    Inet(u32, [u8; 16]),
    /// A hardware address.
    Mac([u8; 6]),
    /// Ns of the boot clock, and how to show them.
    Timestamp(u64, StrftimeId),
    /// A cgroup id, and the hierarchies that matter.
    CgroupPath(u64, &'a [u8]),
    /// A probe number shown by its name.
    ProbeName(u64),
    /// A probe number shown by its function.
    ProbeFunction(u64),
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    ty: &'a ValueType,
    bytes: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let size = self.ty.size() as usize;
        // Elements without a size have no values either; the iterator must still end.
        let (element, rest) = self.bytes.split_at_checked(size).filter(|_| size > 0)?;
        self.bytes = rest;
        Value::read(self.ty, element).ok()
    }
}

/// The fields of a tuple or record.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    fields: std::slice::Iter<'a, Field>,
    bytes: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.fields.next()?;
        let bytes = self.bytes.get(field.offset as usize..)?;
        Some((&field.name, Value::read(&field.ty, bytes).ok()?))
    }
}

impl<'a> Value<'a> {
    /// Decodes the value at the start of `bytes`. What follows it is not looked at.
    pub fn read(ty: &'a ValueType, bytes: &'a [u8]) -> Result<Self, ShortValue> {
        let size = ty.size() as usize;
        let bytes = bytes.get(..size).ok_or(ShortValue { found: bytes.len(), wanted: size })?;
        Ok(match ty {
            ValueType::Int { size, signed: true } => Self::Signed(integer(bytes, *size, true) as i64),
            ValueType::Int { size, signed: false } => Self::Unsigned(integer(bytes, *size, false)),
            ValueType::Bool => Self::Bool(bytes[0] != 0),
            ValueType::Str { .. } => {
                let text = until_nul(bytes);
                Self::Str { text, cut: text.len() == bytes.len() }
            }
            ValueType::Buf { .. } => {
                let len = (word(bytes, 0) as usize).min(size - 4);
                Self::Buf(&bytes[4..4 + len])
            }
            ValueType::Pointer => Self::Pointer(long(bytes, 0)),
            ValueType::Enum { size, signed, variants } => {
                let number = integer(bytes, *size, *signed);
                let variant = variants.iter().find(|(value, _)| *value as u64 == number);
                Self::Enum { number, signed: *signed, name: variant.map(|(_, name)| &name[..]) }
            }
            ValueType::Array { element, .. } => Self::Array(Elements { ty: element, bytes }),
            ValueType::Tuple(aggregate) => Self::Tuple(fields(aggregate, bytes)),
            ValueType::Record(aggregate) => Self::Record(fields(aggregate, bytes)),
            ValueType::KernelStack(stack) => Self::KernelStack(*stack, stack_key(bytes)),
            ValueType::UserStack(stack) => Self::UserStack(*stack, stack_key(bytes), word(bytes, 12)),
            ValueType::KernelSymbol => match long(bytes, 0) {
                number if number >> 32 == NAMED_BY_PROBE >> 32 => Self::ProbeFunction(number & 0xffff_ffff),
                address => Self::KernelSymbol(address),
            },
            ValueType::UserSymbol => Self::UserSymbol(long(bytes, 0), word(bytes, 8)),
            ValueType::Username => Self::Username(long(bytes, 0)),
            ValueType::Inet => Self::Inet(word(bytes, 0), array(bytes, 4)),
            ValueType::Mac => Self::Mac(array(bytes, 0)),
            ValueType::Timestamp => Self::Timestamp(long(bytes, 0), StrftimeId(word(bytes, 8))),
            ValueType::CgroupPath { filter } => Self::CgroupPath(long(bytes, 0), filter),
            ValueType::ProbeName => Self::ProbeName(long(bytes, 0)),
            ValueType::ProbeFunction => Self::ProbeFunction(long(bytes, 0)),
        })
    }

    /// The value as a 64-bit integer (two's complement), for the conversions that want one.
    pub fn integer(&self) -> Option<u64> {
        match self {
            Self::Signed(value) => Some(*value as u64),
            Self::Unsigned(value) | Self::Pointer(value) => Some(*value),
            Self::Bool(value) => Some(u64::from(*value)),
            Self::Enum { number, .. } => Some(*number),
            Self::KernelSymbol(number)
            | Self::UserSymbol(number, _)
            | Self::Username(number)
            | Self::CgroupPath(number, _)
            | Self::ProbeName(number)
            | Self::ProbeFunction(number) => Some(*number),
            Self::Str { .. }
            | Self::Buf(_)
            | Self::Array(_)
            | Self::Tuple(_)
            | Self::Record(_)
            | Self::KernelStack(..)
            | Self::UserStack(..)
            | Self::Inet(..)
            | Self::Mac(_)
            | Self::Timestamp(..) => None,
        }
    }
}

/// Whether [`Value::integer`] gives a number for values of this type.
pub fn is_integer(ty: &ValueType) -> bool {
    matches!(
        ty,
        ValueType::Int { .. }
            | ValueType::Bool
            | ValueType::Pointer
            | ValueType::Enum { .. }
            | ValueType::KernelSymbol
            | ValueType::UserSymbol
            | ValueType::Username
            | ValueType::CgroupPath { .. }
            | ValueType::ProbeName
            | ValueType::ProbeFunction
    )
}

/// The order of map keys: integers by value, text bytewise, aggregates from the first field to the last,
/// everything else by its bytes.
pub fn compare(ty: &ValueType, a: &[u8], b: &[u8]) -> Ordering {
    let at = |bytes, offset: u32| tail(bytes, offset as usize);
    match ty {
        ValueType::Int { size, signed } | ValueType::Enum { size, signed, .. } => {
            let (a, b) = (integer(a, *size, *signed), integer(b, *size, *signed));
            if *signed { (a as i64).cmp(&(b as i64)) } else { a.cmp(&b) }
        }
        ValueType::Str { size } => {
            let text = |bytes| until_nul(head(bytes, *size as usize));
            text(a).cmp(text(b))
        }
        ValueType::Array { element, len } => (0..*len)
            .map(|index| index * element.size())
            .map(|offset| compare(element, at(a, offset), at(b, offset)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        ValueType::Tuple(aggregate) | ValueType::Record(aggregate) => aggregate
            .fields
            .iter()
            .map(|field| compare(&field.ty, at(a, field.offset), at(b, field.offset)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        ValueType::Buf { size } => {
            let data = |bytes| {
                let len = word(bytes, 0).min(*size);
                head(tail(bytes, 4), len as usize)
            };
            data(a).cmp(data(b))
        }
        ValueType::Bool | ValueType::Mac => head(a, ty.size() as usize).cmp(head(b, ty.size() as usize)),
        ValueType::Inet => (word(a, 0), at(a, 4)).cmp(&(word(b, 0), at(b, 4))),
        ValueType::UserSymbol
        | ValueType::KernelStack(_)
        | ValueType::UserStack(_)
        | ValueType::Timestamp => (long(a, 0), long(a, 8)).cmp(&(long(b, 0), long(b, 8))),
        ValueType::Pointer
        | ValueType::KernelSymbol
        | ValueType::Username
        | ValueType::CgroupPath { .. }
        | ValueType::ProbeName
        | ValueType::ProbeFunction => long(a, 0).cmp(&long(b, 0)),
    }
}

fn fields<'a>(aggregate: &'a Aggregate, bytes: &'a [u8]) -> Fields<'a> {
    Fields { fields: aggregate.fields.iter(), bytes }
}

fn stack_key(bytes: &[u8]) -> StackKey {
    StackKey { hash: long(bytes, 0), frames: word(bytes, 8) }
}

/// An integer of 1, 2, 4 or 8 bytes, sign- or zero-extended.
fn integer(bytes: &[u8], size: u32, signed: bool) -> u64 {
    let (value, bits) = match size {
        1 => (u64::from(bytes.first().copied().unwrap_or(0)), 8),
        2 => (u64::from(u16::from_ne_bytes(array(bytes, 0))), 16),
        4 => (u64::from(word(bytes, 0)), 32),
        _ => (long(bytes, 0), 64),
    };
    if signed { ((value << (64 - bits)) as i64 >> (64 - bits)) as u64 } else { value }
}

/// `N` bytes from an offset on; zeros where there are none.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(array(bytes, at))
}

/// A 64-bit integer at an offset; 0 where there is none.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(array(bytes, at))
}

/// The bytes of a text.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

fn head(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

fn tail(bytes: &[u8], from: usize) -> &[u8] {
    bytes.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use btaot_abi::Bytes;
    use btaot_abi::value::{Aggregate, ValueType};

    use super::{Value, compare};

    fn int(size: u32, signed: bool) -> ValueType {
        ValueType::Int { size, signed }
    }

    #[test]
    fn integers_are_extended() {
        let bytes = 0xfedc_ba98_7654_3280u64.to_ne_bytes();
        let cases = [(1, true, -128i64), (1, false, 0x80), (2, true, 0x3280), (4, false, 0x7654_3280)];
        for (size, signed, expected) in cases {
            let ty = int(size, signed);
            let value = Value::read(&ty, &bytes).expect("decodes");
            assert_eq!(value.integer(), Some(expected as u64), "{size} {signed}");
        }
    }

    #[test]
    fn short_records_are_refused() {
        assert!(Value::read(&int(8, true), &[0; 7]).is_err());
        assert!(Value::read(&ValueType::Inet, &[0; 19]).is_err());
    }

    #[test]
    fn a_length_beyond_the_buffer_is_not_believed() {
        let mut bytes = 100u32.to_ne_bytes().to_vec();
        bytes.extend(b"abcd");
        let Ok(Value::Buf(data)) = Value::read(&ValueType::Buf { size: 4 }, &bytes) else {
            panic!("no buffer");
        };
        assert_eq!(data, b"abcd");
    }

    #[test]
    fn keys_are_ordered_by_meaning() {
        let small = |value: i8| value.to_ne_bytes();
        assert_eq!(compare(&int(1, true), &small(-1), &small(1)), Ordering::Less);
        assert_eq!(compare(&int(1, false), &small(-1), &small(1)), Ordering::Greater);
        let text = ValueType::Str { size: 4 };
        assert_eq!(compare(&text, b"ab\0z", b"ab\0a"), Ordering::Equal);
        let pair = [int(4, true), text].map(|ty| (Bytes::default(), ty));
        let pair = ValueType::Tuple(Aggregate::lay_out(pair));
        assert_eq!(compare(&pair, b"\x01\0\0\0b\0\0\0", b"\x01\0\0\0a\0\0\0"), Ordering::Greater);
    }
}
