//! Relocating against a mini-BTF gives what relocating against all of the kernel's BTF gives.

mod support;

use aya_obj::generated::bpf_insn;
use aya_obj::{Object, btf::Btf as AyaBtf};
use btaot_btf::{Btf, MiniBtf};

/// Instructions of the only program, relocated against `types`.
fn relocated(object: &[u8], types: &[u8]) -> Vec<(u8, i16, i32)> {
    let mut object = Object::parse(object).expect("clang's objects are well-formed");
    let types = AyaBtf::parse(types, object.endianness).expect("valid");
    object.relocate_btf(&types).expect("relocates");
    let program = object.programs.values().next().expect("there is one");
    let function = &object.functions[&program.function_key()];
    function.instructions.iter().map(|insn: &bpf_insn| (insn.code, insn.off, insn.imm)).collect()
}

#[test]
fn mini_btf_relocates_like_the_whole() {
    let Some(object) = support::build("core.bpf.c") else { return };
    let Ok(kernel) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        return support::skip("this kernel has no BTF");
    };
    let btf = Btf::scan(&kernel, None).expect("valid");
    let mut mini = MiniBtf::new();
    let roots = ["task_struct", "sock", "signal_struct", "no_such_union", "pid_type", "atomic_t"];
    assert_eq!(mini.add_roots(&btf, &roots), [true, true, true, false, true, true]);
    let mini = mini.finish();
    assert!(mini.len() < 100_000, "{} bytes", mini.len());
    assert_eq!(relocated(&object, &mini), relocated(&object, &kernel));
}

#[test]
fn records_of_tracepoints_relocate() {
    let Some(object) = support::build("tracepoint.bpf.c") else { return };
    let local = Object::parse(&object).expect("well-formed").btf.expect("it has BTF").to_bytes();
    let local = Btf::scan(&local, None).expect("valid");
    let places = [("nr", 12), ("comm", 24), ("args", 40), ("name", 64), ("state", 72)];
    let place = |name: &str| places.iter().find(|(known, _)| *known == name).map(|(_, offset)| *offset);
    let mut mini = MiniBtf::new();
    assert!(mini.add_moved(&local, "trace_args", 80, place));
    let relocated = relocated(&object, &mini.finish());
    let loads: Vec<i16> =
        relocated.into_iter().filter_map(|(code, offset, _)| (code & 7 == 1).then_some(offset)).collect();
    assert_eq!(loads, [12, 24 + 3, 40 + 16, 64, 72]);
}
