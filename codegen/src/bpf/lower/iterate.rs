//! Programs of iterators: each run is for one object of a kernel collection, in the process that reads the iterator.
//!
//! The context is `struct bpf_iter__NAME`: first a pointer to `struct bpf_iter_meta`, which begins with the file that
//! is read, then a pointer to the object (`include/linux/bpf.h`). Each of these takes 8 bytes.

use btaot_abi::format::{Conversion, ConversionKind, Piece, parse};
use btaot_abi::metadata::{AttachPoint, Target};
use btaot_semantic::program::{Body, Expr, Message};
use btaot_semantic::types::Type;

use super::read::Spot;
use super::{Fill, Lower};
use crate::bpf::error::{CodegenError, Result};
use crate::bpf::helpers::Helper;
use crate::llvm::ir::Likely;
use crate::llvm::{Int, Ptr};

/// Offset of the object in the context.
const OBJECT: u64 = 8;
/// Values in one call of `bpf_seq_printf`; kernels before 5.13 take no more texts.
const MAX_VALUES: usize = 6;

/// Whether a body is run by who reads a file, and not by the tool.
pub fn is_pinned(body: &Body) -> bool {
    let pinned = |point: &AttachPoint| matches!(point.target, Target::Iter { pin: Some(_), .. });
    body.attach.iter().any(pinned)
}

/// Text that the kernel formats at once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Portion {
    /// The format, as the kernel understands it.
    format: Vec<u8>,
    /// What the values are shown as.
    conversions: Vec<Conversion>,
}

impl<'c> Lower<'_, '_, 'c> {
    /// Ends the program at once when there is no object: behind the last one, the kernel runs it once more.
    ///
    /// Where the tool itself reads the iterator, each object gives it one byte. So a read is over after as many objects
    /// as it has room for bytes, and the tool can take their records out of the ring.
    pub(super) fn begin_visit(&mut self) {
        let ir = self.ir;
        let object = ir.load(64, ir.offset(self.context, OBJECT), 8);
        let there = self.open("object");
        ir.branch(ir.is_nonzero(object), there, self.exit, Likely::Yes);
        ir.at_end(there);
        if is_pinned(self.body) {
            return;
        }
        let mark = self.frame.mark();
        let byte = self.temporary(8);
        ir.store(byte, ir.i64(0), 8);
        let file = self.file_that_is_read();
        self.helper(Helper::SeqWrite, &[file.into(), byte.into(), ir.i64(1).into()]);
        self.frame.reset(&mark);
    }

    fn file_that_is_read(&self) -> Ptr<'c> {
        let meta = self.ir.load_ptr(self.context);
        self.ir.load_ptr(meta)
    }

    /// Does in a pinned iterator what a message asks for.
    pub(super) fn write_for_reader(&mut self, message: &Message) -> Result<()> {
        let Message::Printf { format, arguments } = message else {
            return self.unsupported(self.body.location, "a pinned iterator can only print formatted text");
        };
        let pieces = parse(format).map_err(|problem| CodegenError::Unsupported {
            location: self.body.location,
            what: problem.to_string(),
        })?;
        let mut values = arguments.iter();
        for portion in portions(&pieces) {
            let values: Vec<&Expr> = values.by_ref().take(portion.conversions.len()).collect();
            self.write_portion(&portion, &values)?;
        }
        Ok(())
    }

    fn write_portion(&mut self, portion: &Portion, values: &[&Expr]) -> Result<()> {
        let ir = self.ir;
        let mark = self.frame.mark();
        let mut words = Vec::with_capacity(values.len());
        for (conversion, value) in portion.conversions.iter().zip(values) {
            words.push(self.shown_word(*conversion, value)?);
        }
        let size = 8 * words.len() as u32;
        let data = self.temporary(size);
        for (index, word) in (0u64..).zip(words) {
            ir.store(ir.offset(data, 8 * index), word, 8);
        }
        let length = portion.format.len() as u32 + 1;
        let format = self.temporary(length);
        self.fill_literal(&portion.format, Spot::aligned(format), &Type::Str(length), Fill::Loose);
        let file = self.file_that_is_read();
        let (length, size) = (ir.i64(length.into()), ir.i64(size.into()));
        let arguments = [file.into(), format.into(), length.into(), data.into(), size.into()];
        self.helper(Helper::SeqPrintf, &arguments);
        self.frame.reset(&mark);
        Ok(())
    }

    /// The 64 bits that the kernel formats a value from.
    fn shown_word(&mut self, conversion: Conversion, value: &Expr) -> Result<Int<'c>> {
        let ir = self.ir;
        if conversion.kind == ConversionKind::Text {
            let text = self.memory(value)?;
            return Ok(ir.address(text));
        }
        let number = self.scalar(value)?;
        let part = ir.trunc(number, conversion.bits);
        Ok(match conversion.kind {
            ConversionKind::Signed => ir.sext(part),
            ConversionKind::Char => {
                // Kernels before 5.17 have no `%c`; little-endian, the first byte is the character.
                let text = self.temporary(8);
                ir.store(text, ir.and(number, ir.i64(0xff)), 8);
                ir.address(text)
            }
            _ => ir.zext(part),
        })
    }
}

/// A format as the kernel takes it, in portions of few values.
fn portions(pieces: &[Piece]) -> Vec<Portion> {
    let mut all = vec![Portion::default()];
    for piece in pieces {
        let full = all.last().is_some_and(|last| last.conversions.len() == MAX_VALUES);
        if full && matches!(piece, Piece::Conversion(_)) {
            all.push(Portion::default());
        }
        let Some(last) = all.last_mut() else { break };
        match piece {
            Piece::Literal(text) => {
                for &byte in text {
                    last.format.extend((byte == b'%').then_some(b'%'));
                    last.format.push(byte);
                }
            }
            Piece::Conversion(conversion) => {
                last.format.extend(kernel_conversion(*conversion).bytes());
                last.conversions.push(*conversion);
            }
        }
    }
    all.retain(|portion| !portion.format.is_empty());
    all
}

/// A conversion of a word of 64 bits.
fn kernel_conversion(conversion: Conversion) -> String {
    let letters = match conversion.kind {
        ConversionKind::Text | ConversionKind::Char => "s",
        ConversionKind::Signed => "lld",
        ConversionKind::HexLower => "llx",
        ConversionKind::Pointer => return "0x%llx".to_owned(),
        _ => "llu",
    };
    let flags =
        [(conversion.left, "-"), (conversion.plus, "+"), (conversion.space, " "), (conversion.zero, "0")];
    let flags: String = flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect();
    let width = if conversion.width == 0 { String::new() } else { conversion.width.to_string() };
    format!("%{flags}{width}{letters}")
}

#[cfg(test)]
mod tests {
    use super::{parse, portions};

    fn formats(format: &str) -> Vec<String> {
        let pieces = parse(format.as_bytes()).expect("the format is one");
        portions(&pieces)
            .into_iter()
            .map(|portion| String::from_utf8_lossy(&portion.format).into_owned())
            .collect()
    }

    #[test]
    fn numbers_have_64_bits() {
        assert_eq!(formats("%d|%-5u|%08lx|%+hd|% d|%p\n"), ["%lld|%-5llu|%08llx|%+lld|% lld|0x%llx\n"]);
        assert_eq!(formats("100%% of %10s%c"), ["100%% of %10s%s"]);
    }

    #[test]
    fn a_call_shows_few_values() {
        assert_eq!(formats("%d%d%d%d%d%d,%d\n"), ["%lld%lld%lld%lld%lld%lld,", "%lld\n"]);
        assert_eq!(formats(""), <[&str; 0]>::default());
    }
}
