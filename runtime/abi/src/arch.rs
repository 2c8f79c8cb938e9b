//! The architectures of the target and what differs between them.

use serde::{Deserialize, Serialize};

/// An architecture a tool can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// x86-64.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// Where a traced function's values stand in `struct pt_regs` (byte offsets; each register is
/// 8 bytes). Source: `arch/x86/include/uapi/asm/ptrace.h`, `arch/arm64/include/uapi/asm/ptrace.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtRegs {
    /// Registers that carry integer arguments, first argument first.
    pub arguments: &'static [u16],
    /// The return value.
    pub return_value: u16,
    /// The stack pointer.
    pub stack_pointer: u16,
    /// Bytes from where it points to at a function's entry to the arguments on the stack.
    pub stack_arguments: u32,
    /// The instruction pointer.
    pub instruction_pointer: u16,
    /// Every register by the name that `reg()` knows.
    pub by_name: &'static [(&'static str, u16)],
}

const X86_64: PtRegs = PtRegs {
    arguments: &[112, 104, 96, 88, 72, 64],
    return_value: 80,
    stack_pointer: 152,
    // Behind the return address.
    stack_arguments: 8,
    instruction_pointer: 128,
    by_name: &[
        ("r15", 0),
        ("r14", 8),
        ("r13", 16),
        ("r12", 24),
        ("bp", 32),
        ("bx", 40),
        ("r11", 48),
        ("r10", 56),
        ("r9", 64),
        ("r8", 72),
        ("ax", 80),
        ("cx", 88),
        ("dx", 96),
        ("si", 104),
        ("di", 112),
        ("orig_rax", 120),
        ("ip", 128),
        ("pc", 128),
        ("cs", 136),
        ("flags", 144),
        ("sp", 152),
        ("ss", 160),
    ],
};

const AARCH64: PtRegs = PtRegs {
    arguments: &[0, 8, 16, 24, 32, 40, 48, 56],
    return_value: 0,
    stack_pointer: 248,
    stack_arguments: 0,
    instruction_pointer: 256,
    by_name: &[
        ("r0", 0),
        ("r1", 8),
        ("r2", 16),
        ("r3", 24),
        ("r4", 32),
        ("r5", 40),
        ("r6", 48),
        ("r7", 56),
        ("r29", 232),
        ("fp", 232),
        ("r30", 240),
        ("lr", 240),
        ("sp", 248),
        ("pc", 256),
        ("ip", 256),
        ("pstate", 264),
    ],
};

impl Arch {
    /// The architecture this code was compiled for.
    pub const fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 }
    }

    /// `e_machine` of ELF files for it (ELF gABI).
    pub const fn elf_machine(self) -> u16 {
        match self {
            Self::X86_64 => 62,
            Self::Aarch64 => 183,
        }
    }

    /// The architecture of an ELF file's `e_machine`.
    pub const fn from_elf_machine(machine: u16) -> Option<Self> {
        match machine {
            62 => Some(Self::X86_64),
            183 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// The name as `uname -m` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The layout of `struct pt_regs`.
    pub const fn pt_regs(self) -> &'static PtRegs {
        match self {
            Self::X86_64 => &X86_64,
            Self::Aarch64 => &AARCH64,
        }
    }

    /// The granularity of mappings a tool must respect: the largest page size in use, in bytes.
    pub const fn max_page_size(self) -> u64 {
        match self {
            Self::X86_64 => 0x1000,
            Self::Aarch64 => 0x1_0000,
        }
    }
}
