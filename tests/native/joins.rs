//! Where paths meet that left different kinds of values in one register.

use super::elf::{self, insn};
use crate::support::compiler::btaot;
use crate::support::policy;
use crate::support::{Checked, process, text};
use libtest_mimic::Trial;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let rows: [(_, &[policy::Need], policy::Check); _] = [
        ("number_meets_pointer", &[], number_meets_pointer),
        ("narrow_number_meets_wide_one", &[], narrow_number_meets_wide_one),
    ];
    policy::table("native::joins", &[], rows)
}

/// Runs a program on each memory and compares its results.
fn expect(folder: &Path, code: &[[u8; 8]], cases: &[(&[u8], u64)]) -> Checked {
    let (object, memory) = (folder.join("join.o"), folder.join("memory"));
    std::fs::write(&object, elf::of_instructions(&code.concat())?)?;
    for (bytes, expected) in cases {
        std::fs::write(&memory, bytes)?;
        let finished = process::run(btaot().arg("run").arg(&object).arg(&memory))?.expect_code(0)?;
        text::expect_equal(&format!("{bytes:?}"), &format!("Output: {expected}\n"), &finished.stdout)?;
    }
    Ok(())
}

/// r2 is the memory's address or 5, and passes through a block which does not touch it before the paths meet.
fn number_meets_pointer(folder: &Path) -> Checked {
    let code = [
        insn(0x71, 0, 1, 0, 0), //  0: r0 = *(u8 *)r1
        insn(0x15, 0, 0, 2, 0), //  1: if r0 == 0 goto 4
        insn(0xbf, 2, 1, 0, 0), //  2: r2 = r1
        insn(0x05, 0, 0, 3, 0), //  3: goto 7
        insn(0xb7, 2, 0, 0, 5), //  4: r2 = 5
        insn(0x15, 0, 0, 0, 9), //  5: if r0 == 9 goto 6
        insn(0xb7, 3, 0, 0, 1), //  6: r3 = 1
        insn(0x55, 0, 0, 2, 0), //  7: if r0 != 0 goto 10
        insn(0xbf, 0, 2, 0, 0), //  8: r0 = r2
        insn(0x95, 0, 0, 0, 0), //  9: exit
        insn(0x71, 0, 2, 1, 0), // 10: r0 = *(u8 *)(r2 + 1)
        insn(0x95, 0, 0, 0, 0), // 11: exit
    ];
    expect(folder, &code, &[(&[0, 77], 5), (&[1, 77], 77)])
}

/// r2 is a byte or eight, in the same way.
fn narrow_number_meets_wide_one(folder: &Path) -> Checked {
    let code = [
        insn(0x71, 0, 1, 0, 0), // 0: r0 = *(u8 *)r1
        insn(0x15, 0, 0, 2, 0), // 1: if r0 == 0 goto 4
        insn(0x79, 2, 1, 0, 0), // 2: r2 = *(u64 *)r1
        insn(0x05, 0, 0, 3, 0), // 3: goto 7
        insn(0x71, 2, 1, 1, 0), // 4: r2 = *(u8 *)(r1 + 1)
        insn(0x15, 0, 0, 0, 9), // 5: if r0 == 9 goto 6
        insn(0xb7, 3, 0, 0, 1), // 6: r3 = 1
        insn(0xbf, 0, 2, 0, 0), // 7: r0 = r2
        insn(0x95, 0, 0, 0, 0), // 8: exit
    ];
    expect(
        folder,
        &code,
        &[(&[0, 77, 0, 0, 0, 0, 0, 1], 77), (&[1, 77, 0, 0, 0, 0, 0, 1], 1 << 56 | 77 << 8 | 1)],
    )
}
