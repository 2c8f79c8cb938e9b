//! The running kernel's own BTF, where there is one.

use std::time::Instant;

use btaot_btf::{Btf, Def, Kind, MiniBtf};

fn kernel() -> Option<Vec<u8>> {
    std::fs::read("/sys/kernel/btf/vmlinux").ok()
}

#[test]
fn scans_the_kernel() {
    let Some(bytes) = kernel() else {
        return skip("this kernel has no BTF");
    };
    let start = Instant::now();
    let btf = Btf::scan(&bytes, None).expect("the kernel's BTF is valid");
    println!("{} types scanned in {:?}", btf.end_id(), start.elapsed());
    let task = btf.find(Kind::Struct, "task_struct").expect("every kernel has it");
    let comm = btf.field_size_offset("task_struct", &["comm"]).expect("every kernel has it");
    assert_eq!((comm.bit_size, comm.bit_offset % 8), (128, 0));
    let parent = btf.field_size_offset("task_struct", &["real_parent"]).expect("every kernel has it");
    assert_eq!(btf.pointee(parent.ty), Some(task));
    let Some(Def::Struct { size, .. }) = Some(btf.def(task)) else { panic!("a struct") };
    assert_eq!(btf.size(task), Some(u64::from(size)));
}

#[test]
fn mini_btf_of_the_kernel_has_the_same_layouts() {
    let Some(bytes) = kernel() else {
        return skip("this kernel has no BTF");
    };
    let btf = Btf::scan(&bytes, None).expect("the kernel's BTF is valid");
    let start = Instant::now();
    let mut mini = MiniBtf::new();
    let names = ["task_struct", "sock", "file", "cred", "mm_struct", "pid_type", "gfp_t"];
    assert_eq!(mini.add_roots(&btf, &names), [true; 7]);
    let blob = mini.finish();
    println!("{} bytes written in {:?}", blob.len(), start.elapsed());
    let mini = Btf::scan(&blob, None).expect("what is written is valid");
    for name in ["task_struct", "sock", "file", "cred", "mm_struct"] {
        let (theirs, ours) = (btf.find(Kind::Struct, name), mini.find(Kind::Struct, name));
        let (theirs, ours) = theirs.zip(ours).expect("both have it");
        let shape = |btf: &Btf<'_>, id| -> Vec<_> {
            let member =
                |m: btaot_btf::Member<'_>| (m.name.to_owned(), m.bit_offset, m.bitfield_size, btf.size(m.ty));
            btf.members(id).map(member).collect()
        };
        assert_eq!(shape(&btf, theirs), shape(&mini, ours), "{name}");
    }
}

/// Says why a test ends early. Under `BTAOT_REQUIRE=all` it fails instead: nothing may go untested in silence.
fn skip(reason: &str) {
    assert!(std::env::var_os("BTAOT_REQUIRE").is_none_or(|value| value != "all"), "{reason}");
    println!("skipped: {reason}");
}
