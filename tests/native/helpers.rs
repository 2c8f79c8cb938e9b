//! Helpers that mean something outside the kernel, and the page that says which those are.

use super::objects::{compile_bpf, expect_output, run};
use crate::support::policy::{self, Need};
use crate::support::{Checked, text};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let clang: &[Need] = &[Need::Program("clang-19")];
    let rows: [(_, &'static [Need], policy::Check); _] = [
        ("results", clang, results),
        ("records_in_the_order_of_reservation", clang, records_in_the_order_of_reservation),
        ("random_numbers_follow_from_the_seed", clang, random_numbers_follow_from_the_seed),
        ("each_is_documented", &[], each_is_documented),
    ];
    policy::table("native::helpers", &[], rows)
}

/// `helpers.bpf.c` derives the results.
fn results(folder: &Path) -> Checked {
    let object = compile_bpf("helpers", folder)?;
    let memory = folder.join("memory");
    std::fs::write(&memory, [0; 8])?;
    let cases = [
        ("use_packet", 111_111),
        ("use_memory", 7315),
        ("use_signals", 111),
        ("use_cgroups", 1),
        ("use_dynptr", 111_111),
        ("use_ring_dynptr", 1111),
        ("use_range", 1_000_346),
    ];
    for (program, expected) in cases {
        expect_output(&object, program, &[&memory.to_string_lossy()], expected)?;
    }
    Ok(())
}

fn records_in_the_order_of_reservation(folder: &Path) -> Checked {
    let object = compile_bpf("helpers", folder)?;
    let finished = run(&object, &["--program", "use_ring_order", "--dump-maps"])?.expect_code(0)?;
    text::expect_equal("output", "Output: 0\nring (ringbuf): 2 entries\n  1\n  2\n", &finished.stdout)?;
    let finished = run(&object, &["--program", "use_ring_dynptr", "--dump-maps"])?.expect_code(0)?;
    let expected = "Output: 1111\nring (ringbuf): 1 entry, 1 lost\n  42\n";
    Ok(text::expect_equal("output", expected, &finished.stdout)?)
}

fn random_numbers_follow_from_the_seed(folder: &Path) -> Checked {
    let object = compile_bpf("helpers", folder)?;
    let number = |seed: &[&str]| -> Result<String, String> {
        let arguments = [&["--program", "use_random"], seed].concat();
        Ok(run(&object, &arguments)?.expect_code(0)?.stdout)
    };
    let (first, second) = (number(&["--seed", "1"])?, number(&["--seed", "2"])?);
    let again = number(&["--seed", "1"])?;
    if first != again || first == second || number(&[])? != number(&[])? {
        return Err(format!("{first}{second}{again}").into());
    }
    Ok(())
}

/// The numbers in the first column of the table of `docs/native.md` are those of the helpers that there are.
fn each_is_documented(_: &Path) -> Checked {
    let page = include_str!("../../docs/native.md");
    let table = page.split_once("| helpers | what they do here |").ok_or("no table of helpers")?.1;
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| "));
    let mut documented = BTreeSet::new();
    for cell in rows.filter_map(|row| row.split(" | ").next()) {
        // Names stand between backticks.
        for words in cell.split('`').step_by(2) {
            for word in words.split([' ', ',', ';']).filter(|word| !word.is_empty()) {
                let (first, last) = word.split_once('–').unwrap_or((word, word));
                documented.extend(first.parse::<u32>()?..=last.parse::<u32>()?);
            }
        }
    }
    let there: BTreeSet<u32> = btaot_runtime::user::helper_numbers().collect();
    if documented != there {
        let only: Vec<_> = documented.symmetric_difference(&there).collect();
        return Err(format!("helpers on one side only: {only:?}").into());
    }
    Ok(())
}
