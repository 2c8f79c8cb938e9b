//! Records of the event ring.
//!
//! A record is an 8-byte header, then a payload whose fields stand at the offsets that the
//! metadata gives, counted from the start of the record. A record is a multiple of 8 bytes.

/// What a record asks the runtime to do. The numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum EventKind {
    /// Render a `printf`. `id` is a [`crate::ids::PrintfId`].
    Printf = 1,
    /// Render a value given to `print`. `id` is a [`crate::ids::ValueId`].
    Value = 2,
    /// Print a map. `id` is a [`crate::ids::MapId`]; payload: u32 top, u32 div (0: not given).
    PrintMap = 3,
    /// Delete every entry of a map. `id` is a [`crate::ids::MapId`].
    ClearMap = 4,
    /// Set every value of a map to zero. `id` is a [`crate::ids::MapId`].
    ZeroMap = 5,
    /// Print the wall-clock time. `id` is a [`crate::ids::TimeId`].
    Time = 6,
    /// End the run. Payload: u64 exit code.
    Exit = 7,
    /// A mistake that shows only at run time. `id` is a [`crate::ids::SiteId`].
    RuntimeError = 8,
    /// A helper failed. `id` is a [`crate::ids::SiteId`]; payload: i64 result of the helper.
    HelperError = 9,
    /// Do something with a formatted text. `id` is an [`crate::ids::ActionId`].
    Action = 10,
    /// Print texts joined. `id` is a [`crate::ids::JoinId`]; payload: u64 number of texts, then that many of
    /// [`crate::metadata::JOIN_LIMIT`] places of `max_strlen` bytes.
    Join = 11,
    /// Remove the watchpoints at an address. Payload: u64 address.
    Unwatch = 12,
}

/// What stands in front of a packet: three 64-bit words in the machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Where it goes, a [`crate::ids::PacketId`].
    pub id: u32,
    /// When it was seen, ns of the boot clock.
    pub time: u64,
    /// Its bytes. More may follow in the record, to fill the last word.
    pub length: u64,
}

impl PacketHeader {
    /// Bytes.
    pub const SIZE: u32 = 24;

    /// The header of a record, and what follows it, without the bytes that fill the last word.
    pub fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        let (header, packet) = record.split_first_chunk::<{ Self::SIZE as usize }>()?;
        let (words, _) = header.as_chunks::<8>();
        let [id, time, length] =
            [0, 1, 2].map(|word| words.get(word).map_or(0, |bytes| u64::from_ne_bytes(*bytes)));
        let packet = packet.get(..usize::try_from(length).ok()?)?;
        Some((Self { id: u32::try_from(id).ok()?, time, length }, packet))
    }
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Printf,
        Self::Value,
        Self::PrintMap,
        Self::ClearMap,
        Self::ZeroMap,
        Self::Time,
        Self::Exit,
        Self::RuntimeError,
        Self::HelperError,
        Self::Action,
        Self::Join,
        Self::Unwatch,
    ];

    /// The kind with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == number)
    }

    /// Whether the record steers the runtime. Data records are dropped (and counted) when less
    /// than [`CONTROL_HEADROOM`] bytes of the ring are free, control records are not.
    pub fn is_control(self) -> bool {
        !matches!(self, Self::Printf | Self::Value | Self::Time | Self::Action | Self::Join)
    }
}

/// Free bytes of the ring that are kept for control records.
pub const CONTROL_HEADROOM: u32 = 64 * 1024;

/// ELF symbol of the ring buffer map. Its size is chosen when the tool starts.
pub const RING_MAP: &str = "events";
/// Name of the map of perf events through which the kernel hands packets out. A record is a [`PacketHeader`], and behind it
/// the packet's bytes.
pub const PACKET_MAP: &str = "packets";

/// The first 8 bytes of a record: u16 kind, u16 zero, u32 id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What to do.
    pub kind: EventKind,
    /// An index into the table that belongs to the kind.
    pub id: u32,
}

impl Header {
    /// Bytes of a header, and so offset of the payload.
    pub const SIZE: u32 = 8;

    /// The header as the one 64-bit integer that bytecode stores (little-endian targets).
    pub const fn word(self) -> u64 {
        self.kind as u16 as u64 | (self.id as u64) << 32
    }

    /// Reads the header of a record; `None` when it is short or of an unknown kind.
    pub fn read(record: &[u8]) -> Option<Self> {
        let word = u64::from_ne_bytes(record.get(..8)?.try_into().ok()?);
        Some(Self { kind: EventKind::from_number(word as u16)?, id: (word >> 32) as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::{EventKind, Header};

    #[test]
    fn a_header_survives_the_ring() {
        for kind in EventKind::ALL {
            let header = Header { kind, id: 0xdead_beef };
            assert_eq!(Header::read(&header.word().to_ne_bytes()), Some(header));
        }
        assert_eq!(Header::read(&[0; 8]), None);
        assert_eq!(Header::read(&[1, 0, 0]), None);
    }
}
