//! CO-RE: writes the values that relocations were resolved to into the instructions.

use super::abi::UNRELOCATED;
use super::insn::SLOT;
use super::object::{Location, Object, Place};
use thiserror::Error;

/// What a CO-RE relocation was resolved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The offset, size, existence or number.
    Known {
        /// The value for the instruction's field.
        value: u64,
        /// The bytes of the field on the target, where a load has to follow a change of its size.
        bytes: Option<u32>,
    },
    /// Nothing matches on the target: the instruction must never run.
    Missing,
}

/// Why a CO-RE relocation cannot be applied.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{location}: the CO-RE relocation {reason}")]
pub struct PatchError {
    /// The instruction.
    pub location: Location,
    /// What is wrong.
    pub reason: String,
}

/// Writes a value into the instruction at `place`.
pub fn apply(object: &mut Object, place: Place, value: Value) -> Result<(), PatchError> {
    let location = object.location(place);
    let Some(code) = object.code.get_mut(place.section) else { return Ok(()) };
    let fail = |reason: &str| PatchError { location: location.clone(), reason: reason.to_owned() };
    let rest = place.slot.checked_mul(SLOT).and_then(|at| code.bytes.get_mut(at..)).unwrap_or_default();
    let (slots, _) = rest.as_chunks_mut::<SLOT>();
    let [insn, after @ ..] = slots else { return Err(fail("is outside the code")) };
    let wide = insn[0] == 0x18;
    let Value::Known { value, bytes } = value else {
        *insn = [0x85, 0, 0, 0, 0, 0, 0, 0];
        insn[4..].copy_from_slice(&UNRELOCATED.to_le_bytes());
        if let ([second, ..], true) = (after, wide) {
            // A jump to the next instruction.
            *second = [0x05, 0, 0, 0, 0, 0, 0, 0];
        }
        return Ok(());
    };
    match (insn[0] & 7, wide) {
        (_, true) => {
            let [second, ..] = after else { return Err(fail("is outside the code")) };
            insn[4..].copy_from_slice(&(value as u32).to_le_bytes());
            second[4..].copy_from_slice(&((value >> 32) as u32).to_le_bytes());
        }
        (4 | 7, _) if insn[0] & 0x08 == 0 => {
            let imm = u32::try_from(value).map_err(|_| fail("does not fit in the immediate"))?;
            insn[4..].copy_from_slice(&imm.to_le_bytes());
        }
        (1..=3, _) => {
            let offset = i16::try_from(value).map_err(|_| fail("does not fit in the offset"))?;
            insn[2..4].copy_from_slice(&offset.to_le_bytes());
            if let Some(bytes) = bytes {
                let size = match bytes {
                    1 => 0x10,
                    2 => 0x08,
                    4 => 0x00,
                    8 => 0x18,
                    _ => return Err(fail("names a field that no load can read")),
                };
                insn[0] = insn[0] & !0x18 | size;
            }
        }
        _ => return Err(fail("is on an instruction without a field for it")),
    }
    Ok(())
}
