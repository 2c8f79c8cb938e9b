//! Writes BTF (`include/uapi/linux/btf.h`).

use btaot_btf::Kind;

/// Bytes of the header.
const HEADER: u32 = 24;
/// The most entries that a type can have: their number has 16 bits.
const MAX_ENTRIES: usize = 0xffff;

/// A BTF under construction. Types get their numbers before they are written, as they refer to each other.
#[derive(Debug)]
pub(super) struct Writer {
    strings: Vec<u8>,
    /// Records by number, from 1.
    records: Vec<Vec<u32>>,
}

/// What an integer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntEncoding {
    /// Without a sign.
    Unsigned = 0,
    /// With a sign.
    Signed = 1,
    /// A truth value.
    Bool = 4,
}

/// A member of a structure.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Name; empty for a base class or an anonymous part.
    pub name: String,
    /// Number of its type.
    pub ty: u32,
    /// Bits from the start of the structure.
    pub offset: u32,
    /// Bits of a bit field, else 0.
    pub bits: u32,
}

fn info(kind: Kind, count: usize, flag: bool) -> u32 {
    (kind as u32) << 24 | count.min(MAX_ENTRIES) as u32 | u32::from(flag) << 31
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { strings: vec![0], records: Vec::new() }
    }

    /// A number for a type that is written later.
    pub(super) fn reserve(&mut self) -> u32 {
        self.records.push(Vec::new());
        self.records.len() as u32
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend(text.bytes());
        self.strings.push(0);
        offset
    }

    /// Writes a record: its name, its info and size or type, and what follows.
    fn set(&mut self, number: u32, name: &str, head: [u32; 2], rest: &[u32]) {
        let name = self.string(name);
        let mut record = vec![name, head[0], head[1]];
        record.extend(rest);
        if let Some(place) = self.records.get_mut((number as usize).wrapping_sub(1)) {
            *place = record;
        }
    }

    /// An integer of that many bytes.
    pub(super) fn int(&mut self, number: u32, name: &str, size: u32, encoding: IntEncoding) {
        let tail = (encoding as u32) << 24 | (size * 8).min(0xff);
        self.set(number, name, [info(Kind::Int, 0, false), size], &[tail]);
    }

    /// A floating-point number of that many bytes.
    pub(super) fn float(&mut self, number: u32, name: &str, size: u32) {
        self.set(number, name, [info(Kind::Float, 0, false), size], &[]);
    }

    /// A type that says something of another one: a pointer, a typedef, a modifier.
    pub(super) fn about(&mut self, number: u32, kind: Kind, name: &str, to: u32) {
        self.set(number, name, [info(kind, 0, false), to], &[]);
    }

    /// An array. Its index has a type, too, which nobody asks for.
    pub(super) fn array(&mut self, number: u32, element: u32, len: u32) {
        self.set(number, "", [info(Kind::Array, 0, false), 0], &[element, element, len]);
    }

    /// A structure or union that is only named.
    pub(super) fn forward(&mut self, number: u32, union: bool, name: &str) {
        self.set(number, name, [info(Kind::Fwd, 0, union), 0], &[]);
    }

    /// A structure or union. Where there are bit fields, offsets have 24 bits, else 32.
    pub(super) fn composite(
        &mut self,
        number: u32,
        union: bool,
        (name, size): (&str, u32),
        members: &[Member],
    ) {
        let with_bits = members.iter().any(|member| member.bits != 0);
        let mut rest = Vec::with_capacity(members.len() * 3);
        for member in members.iter().take(MAX_ENTRIES) {
            let place =
                if with_bits { member.bits << 24 | member.offset & 0x00ff_ffff } else { member.offset };
            rest.extend([self.string(&member.name), member.ty, place]);
        }
        let kind = if union { Kind::Union } else { Kind::Struct };
        self.set(number, name, [info(kind, members.len(), with_bits), size], &rest);
    }

    /// An enumeration.
    pub(super) fn enumeration(&mut self, number: u32, (name, size): (&str, u32), values: &[(String, i64)]) {
        let signed = values.iter().any(|(_, value)| *value < 0);
        let mut rest = Vec::new();
        for (name, value) in values.iter().take(MAX_ENTRIES) {
            rest.extend([self.string(name), *value as u32]);
            if size > 4 {
                rest.push((value.cast_unsigned() >> 32) as u32);
            }
        }
        let kind = if size > 4 { Kind::Enum64 } else { Kind::Enum };
        self.set(number, name, [info(kind, values.len(), signed), size], &rest);
    }

    /// A prototype.
    pub(super) fn prototype(&mut self, number: u32, result: u32, parameters: &[(String, u32)]) {
        let mut rest = Vec::new();
        for (name, ty) in parameters.iter().take(MAX_ENTRIES) {
            rest.extend([self.string(name), *ty]);
        }
        self.set(number, "", [info(Kind::FuncProto, parameters.len(), false), result], &rest);
    }

    /// The bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for record in &mut self.records {
            if record.is_empty() {
                // What could not be read: a structure of which nothing is known.
                *record = vec![0, info(Kind::Fwd, 0, false), 0];
            }
        }
        let types: Vec<u8> = self.records.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
        let mut out = vec![0x9f, 0xeb, 1, 0];
        let (types_len, strings_len) = (types.len() as u32, self.strings.len() as u32);
        for word in [HEADER, 0, types_len, types_len, strings_len] {
            out.extend(word.to_le_bytes());
        }
        out.extend(types);
        out.extend(self.strings);
        out
    }
}

#[cfg(test)]
mod tests {
    use btaot_btf::{Btf, Def, Kind};

    use super::{IntEncoding, Member, Writer};

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::new();
        let (int, structure, pointer) = (writer.reserve(), writer.reserve(), writer.reserve());
        writer.int(int, "int", 4, IntEncoding::Signed);
        let member = |name: &str, ty, offset, bits| Member { name: name.into(), ty, offset, bits };
        writer.composite(
            structure,
            false,
            ("node", 16),
            &[member("flag", int, 3, 5), member("next", pointer, 64, 0)],
        );
        writer.about(pointer, Kind::Ptr, "", structure);
        let bytes = writer.finish();
        let btf = Btf::scan(&bytes, None).expect("valid BTF");
        let node = btf.find(Kind::Struct, "node").expect("the structure");
        let members: Vec<_> = btf
            .members(node)
            .map(|member| (member.name, member.ty.0, member.bit_offset, member.bitfield_size))
            .collect();
        assert_eq!(members, [("flag", int, 3, 5), ("next", pointer, 64, 0)]);
        assert!(matches!(btf.def(btaot_btf::TypeId(pointer)), Def::Ptr(to) if to == node));
    }
}
