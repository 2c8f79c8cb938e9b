//! The typed program: what `semantic` hands to `codegen`.
//!
//! Everything is resolved: names are numbers, conversions are explicit, every expression has a
//! type. Scalars ([`Type::is_scalar`]) are values; all other types are memory, and an expression
//! of such a type says how to fill a destination.

use btaot_abi::Bytes;
pub use btaot_abi::aggregation::Aggregation;
use btaot_abi::constants::{IntSource, StrSource};
use btaot_abi::ids::{MapId, ProgramId};
pub use btaot_abi::metadata::{
    ActionKind, AttachPoint, Config, KnownBinary, Location, NamedOption, OptionValue, ProgramKind,
};

use crate::types::{Space, StructId, Structs, Type};

/// A checked script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the script: its file name, or `stdin`.
    pub name: Bytes,
    /// Settings.
    pub config: Config,
    /// Types that expressions refer to.
    pub structs: Structs,
    /// Maps, indexed by [`MapId`], by first appearance.
    pub maps: Vec<Map>,
    /// Bodies, indexed by [`ProgramId`], in source order.
    pub bodies: Vec<Body>,
    /// Largest N of a positional parameter `$N`.
    pub positional: u32,
    /// Named options, by first appearance.
    pub options: Vec<NamedOption>,
}

/// A clause's body for one program type and one argument layout: one eBPF program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its number.
    pub id: ProgramId,
    /// Where the clause stands.
    pub location: Location,
    /// What the context of the program is.
    pub context: Context,
    /// Attach points, in source order.
    pub attach: Vec<AttachPoint>,
    /// Binaries whose types the body relies on.
    pub binaries: Vec<KnownBinary>,
    /// Scratch variables, indexed by [`VarId`].
    pub variables: Vec<Variable>,
    /// Runs the body only if true.
    pub predicate: Option<Expr>,
    /// Statements.
    pub statements: Vec<Stmt>,
    /// The variable (an `int64`) that holds the result of a test or benchmark; none when it is 0 anyway.
    pub result: Option<VarId>,
}

/// What the first argument of the eBPF program points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nothing of use: programs that the tool runs itself.
    TestRun,
    /// `struct pt_regs` of a user function's entry or return.
    Uprobe,
    /// `struct pt_regs` at a static probe in user code; where its arguments are is known when the tool starts.
    Usdt,
    /// `struct pt_regs` of a kernel function's entry or return.
    Kprobe,
    /// The record of a tracepoint, with its structure when the body reads `args`.
    Tracepoint(Option<StructId>),
    /// `struct bpf_perf_event_data`.
    PerfEvent,
    /// The arguments of a raw tracepoint, 64 bits each, with the structure of those that the body reads by name.
    RawTracepoint(Option<StructId>),
    /// The arguments of a kernel function or eBPF program, 64 bits each, with the structure of those that the body
    /// reads.
    Tracing(Option<StructId>),
    /// `struct bpf_iter__NAME` of an iterator.
    Iter,
}

/// A scratch variable, in a numbering of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VarId(pub u32);

/// A scratch variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Name with its `$`.
    pub name: Bytes,
    /// Type.
    pub ty: Type,
}

/// A user's map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Name with its `@`.
    pub name: Bytes,
    /// Type of the key; `None` for a scalar. Several keys are a tuple.
    pub key: Option<Type>,
    /// What it holds.
    pub contents: Contents,
    /// Kind of eBPF map.
    pub storage: MapStorage,
    /// First appearance.
    pub location: Location,
}

/// What a map holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Plain values.
    Plain(Type),
    /// An aggregation.
    Aggregate(Aggregation),
}

/// Kind of eBPF map behind a user's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapStorage {
    /// A scalar with a plain value: in the global state.
    Global,
    /// A keyless aggregation: an array of one row for each CPU.
    CpuRows,
    /// A hash map.
    Hash {
        /// One value for each CPU.
        per_cpu: bool,
        /// Drops the least recently used entry when full.
        lru: bool,
        /// Most entries.
        max_entries: u32,
    },
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Where it stands.
    pub location: Location,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// Evaluates for the side effects.
    Discard(Expr),
    /// `$x = value`; the value has the variable's type.
    SetVariable {
        /// Variable.
        variable: VarId,
        /// Value.
        value: Expr,
    },
    /// `@x[key] = value`; key and value have the map's types.
    SetMap {
        /// Map.
        map: MapId,
        /// Key.
        key: Option<Expr>,
        /// Value.
        value: Expr,
    },
    /// `@x[key] op= value`, an integer value; one lookup, atomic for `+` and `-`.
    UpdateMap {
        /// Map.
        map: MapId,
        /// Key.
        key: Option<Expr>,
        /// Operation.
        op: BinaryOp,
        /// Right operand, of the map's value type.
        value: Expr,
    },
    /// `@x[key] = count()` and its kind.
    Aggregate {
        /// Map; its contents say which aggregation.
        map: MapId,
        /// Key.
        key: Option<Expr>,
        /// The integer (64 bits) to be taken in; none for `count()`.
        value: Option<Expr>,
    },
    /// `delete(@x[key])`; without a key a scalar becomes unset.
    Delete {
        /// Map.
        map: MapId,
        /// Key.
        key: Option<Expr>,
    },
    /// A record for the runtime.
    Send(Message),
    /// `if`.
    If {
        /// Condition, a [`Type::Bool`].
        condition: Expr,
        /// Runs if true.
        then: Vec<Stmt>,
        /// Runs if false.
        otherwise: Vec<Stmt>,
    },
    /// `unroll (n) { … }`.
    Unroll {
        /// How often.
        count: u32,
        /// What.
        body: Vec<Stmt>,
    },
    /// `while (condition) { … }`
    While {
        /// Goes on if true, a [`Type::Bool`].
        condition: Expr,
        /// What.
        body: Vec<Stmt>,
    },
    /// `for ($i : from..to) { … }`
    ForRange {
        /// Counts, of the bounds' type; a copy that the body may change.
        variable: VarId,
        /// First value, a 64-bit integer.
        from: Expr,
        /// The value behind the last, of the same type.
        to: Expr,
        /// What.
        body: Vec<Stmt>,
    },
    /// `for ($kv : @map) { … }`
    ForMap {
        /// Takes each entry, a tuple of the key and the value.
        variable: VarId,
        /// Map.
        map: MapId,
        /// What.
        body: Vec<Stmt>,
    },
    /// Ends the innermost loop.
    Break,
    /// Goes on with the innermost loop.
    Continue,
    /// Ends the program.
    Return,
}

/// A record for the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `printf`.
    Printf {
        /// Format.
        format: Bytes,
        /// Arguments, converted as the format wants them.
        arguments: Vec<Expr>,
    },
    /// `errorf`, `warnf`, `cat`, `system`.
    Action {
        /// What is done with the text.
        kind: ActionKind,
        /// Format.
        format: Bytes,
        /// Arguments, converted as the format wants them.
        arguments: Vec<Expr>,
    },
    /// `join`.
    Join {
        /// Address of an array of addresses of texts, a `uint64`; it ends at a null.
        array: Expr,
        /// Whose memory both are in.
        space: Space,
        /// Stands between the texts.
        separator: Bytes,
    },
    /// `print` of a value.
    Value(Expr),
    /// `print` of a map.
    PrintMap {
        /// Map.
        map: MapId,
        /// Show that many of the largest entries; 0: all.
        top: u32,
        /// Divide shown values by it; 0: do not.
        div: u32,
    },
    /// `clear`.
    ClearMap(MapId),
    /// `zero`.
    ZeroMap(MapId),
    /// `time`.
    Time(Bytes),
    /// `exit`; does not end the program ([`StmtKind::Return`] follows it).
    Exit(Expr),
    /// `unwatch`, with the address.
    Unwatch(Expr),
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
    /// Where it stands.
    pub location: Location,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// An integer, boolean, enumerator or address; the bits of a sign-extended 64-bit value.
    Int(u64),
    /// The value of a kernel enumerator, relocated on the target (value of the build machine).
    Enumerator {
        /// Name of the enumeration.
        name: Bytes,
        /// Name of the enumerator.
        variant: Bytes,
        /// Value on the build machine.
        value: i64,
    },
    /// The size of a kernel structure on the target, a `uint64`.
    SizeOf(StructId),
    /// A text literal, or the bytes of an array.
    Str(Bytes),
    /// An integer that is known when the tool starts.
    IntConstant(IntSource),
    /// A text that is known when the tool starts.
    StrConstant(StrSource),
    /// A scratch variable.
    Variable(VarId),
    /// The value of a map entry; zero when missing. Of an aggregation: the integer that
    /// combines all CPUs.
    MapValue {
        /// Map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
    },
    /// `has_key`.
    HasKey {
        /// Map.
        map: MapId,
        /// Key.
        key: Box<Expr>,
    },
    /// `delete` for its value: whether there was such an entry.
    DeleteKey {
        /// Map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
    },
    /// A function that has code of its own.
    Call {
        /// Which.
        call: Call,
        /// Its arguments, as [`Call`] says.
        arguments: Vec<Expr>,
    },
    /// A function of imported C code.
    CallC {
        /// Its name.
        function: Bytes,
        /// Its arguments: integers of its parameters' types, and addresses as `uint64`.
        arguments: Vec<Expr>,
    },
    /// `&@m`: what a helper of the kernel takes as a map; a pointer. The map has a key.
    MapAddress(MapId),
    /// `len` of a map: its number of entries.
    MapLen(MapId),
    /// `len` of a stack: its number of frames.
    StackLen(Box<Expr>),
    /// Something of the event.
    Event(EventValue),
    /// An operation on one operand of the same type.
    Unary {
        /// Operation.
        op: UnaryOp,
        /// Operand.
        operand: Box<Expr>,
    },
    /// An operation on two operands of one type. Comparisons and `&&`, `||` give a
    /// [`Type::Bool`]; shifts take their right operand as `uint64`. `==` and `!=` also compare
    /// texts, over the shorter capacity and up to the first NUL. Pointers are added to and
    /// subtracted from as 64-bit integers: the right operand is already scaled.
    Binary {
        /// Operation.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `condition ? then : otherwise`.
    Ternary {
        /// Condition, a [`Type::Bool`].
        condition: Box<Expr>,
        /// Value if true.
        then: Box<Expr>,
        /// Value if false.
        otherwise: Box<Expr>,
    },
    /// Statements, and the value that stands behind them.
    Block {
        /// Statements.
        statements: Vec<Stmt>,
        /// Value.
        value: Box<Expr>,
    },
    /// Converts to the type of this expression: integers widen by their own sign or are cut, a
    /// text gets another capacity, a number becomes a boolean.
    Convert(Box<Expr>),
    /// `++` and `--`.
    Increment {
        /// What changes.
        target: Target,
        /// Added, +1 or -1 (times the size of what a pointer points to).
        by: i64,
        /// The value is that before the change.
        post: bool,
    },
    /// What a pointer points to; a place to select from, or a value to be read.
    Deref(Box<Expr>),
    /// A field of a structure: of a place, or of a value in memory.
    Member {
        /// The structure.
        base: Box<Expr>,
        /// Its type.
        structure: StructId,
        /// Index into its fields.
        field: u32,
    },
    /// An element of an array.
    Index {
        /// The array.
        base: Box<Expr>,
        /// Which element, a 64-bit integer.
        index: Box<Expr>,
    },
    /// The address of a place.
    AddressOf(Box<Expr>),
    /// Fields of a tuple or record in order, each of its field's type.
    Aggregate(Vec<Expr>),
    /// A structure or array that is known in pieces: integers, each with its byte offset. What they leave out is zero.
    Pieces(Vec<(u32, Expr)>),
    /// A field of a tuple or record.
    Field {
        /// The tuple.
        base: Box<Expr>,
        /// Which field.
        index: u32,
    },
    /// `str(address, length)`: reads at most the capacity of this expression's type.
    ReadStr {
        /// Where the text is.
        address: Box<Expr>,
        /// Whose memory.
        space: Space,
        /// Most bytes, the NUL included, a `uint64`; the capacity when absent.
        length: Option<Box<Expr>>,
    },
    /// `buf(address, length)`.
    ReadBuf {
        /// Where the bytes are.
        address: Box<Expr>,
        /// Whose memory.
        space: Space,
        /// How many, a `uint64`; the capacity when absent.
        length: Option<Box<Expr>>,
    },
    /// An address of the current process with its process id ([`Type::UserSymbol`]).
    UserSymbol(Box<Expr>),
    /// The text for a number, a [`Type::Str`] of [`NAME_SIZE`] bytes.
    NameOf {
        /// Which texts.
        names: Names,
        /// The number, 64 bits.
        number: Box<Expr>,
    },
    /// An IP address: family, when given, and the bytes of an integer or array.
    Inet {
        /// Address family; when absent the size of the address decides.
        family: Option<Box<Expr>>,
        /// A `uint32` in network order, or an array of 4 or 16 bytes.
        address: Box<Expr>,
    },
    /// A time for `strftime`.
    Timestamp {
        /// Format.
        format: Bytes,
        /// Boot-clock time, ns.
        ns: Box<Expr>,
    },
}

/// Most bytes that one `write_user()` writes.
pub const MAX_WRITE: u32 = 1024;

/// A function that has code of its own. Texts are of type [`Type::Str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Sends a signal (number) to the current process; no value.
    SignalProcess,
    /// Sends a signal (number) to the current thread; no value.
    SignalThread,
    /// Makes the traced function return a value (`uint64`) without running; no value.
    OverrideReturn,
    /// Writes to the current process's memory: where, from where, how many bytes (all `uint64`, the last at most
    /// [`MAX_WRITE`]); whether that worked.
    WriteUser,
    /// Writes to the kernel's trace pipe: a literal, and at most three texts or integers; no value.
    TracePipe,
    /// The length of a text, `uint64`.
    TextLength,
    /// Where the second text stands in the first, or -1, `int64`.
    FindText,
    /// The first text and the second behind it, cut to the capacity of this expression's type.
    Concatenate,
    /// Compares the first bytes of two values in memory: 0, or the difference of the first two bytes that differ,
    /// `int64`. The third argument is their number, `uint64`; where it reaches beyond a value, the value ends.
    CompareBytes,
    /// The path that a `struct path` means, cut in front to the capacity of this expression's type. Its argument is a
    /// pointer that is reached from the context.
    Path,
    /// The number of a socket, `uint64`. Its argument is a pointer that is reached from the context.
    SocketCookie,
    /// Writes a packet to a file: the file's name (a literal), a pointer to the packet that is reached from the context,
    /// how many of its bytes (`uint64`), and how many of these are left out at the start (a literal); 0 or a negative
    /// error number.
    PacketOutput,
}

/// Capacity of the text for a number.
pub const NAME_SIZE: u32 = 64;

/// Texts for numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Names {
    /// Of error numbers; of negative ones, too.
    Errors,
    /// Of signals.
    Signals,
    /// Of the target's system calls.
    Syscalls,
}

/// What `++` and `--` change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A scratch variable.
    Variable(VarId),
    /// A map entry.
    Map {
        /// Map.
        map: MapId,
        /// Key.
        key: Option<Box<Expr>>,
    },
}

/// A value that the event brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventValue {
    /// Process id in the tool's pid namespace, `uint32`.
    Pid,
    /// Thread id in the tool's pid namespace, `uint32`.
    Tid,
    /// User id, `uint64`.
    Uid,
    /// Group id, `uint64`.
    Gid,
    /// Name of the current thread, `string[16]`.
    Comm,
    /// Boot clock, ns, `uint64`.
    Nsecs,
    /// Monotonic clock, ns, `uint64`.
    MonotonicNsecs,
    /// International atomic time, ns, `uint64`.
    TaiNsecs,
    /// Process id in the initial pid namespace, `uint32`.
    InitialPid,
    /// Thread id in the initial pid namespace, `uint32`.
    InitialTid,
    /// The register at that many bytes of the context, `uint64`.
    Register(u16),
    /// CPU number, `uint64`.
    Cpu,
    /// Address of the current `struct task_struct`.
    CurrentTask,
    /// A random number, `uint32`.
    Random,
    /// Id of the current cgroup, `uint64`.
    Cgroup,
    /// Number of the NUMA node, `uint32`.
    NumaNode,
    /// The kernel's tick counter, `uint64`.
    Jiffies,
    /// Number of the current probe.
    ProbeId,
    /// Argument N (from 0) of a traced function, `uint64`.
    Argument(u32),
    /// Result of a traced function, `uint64`.
    ReturnValue,
    /// A kernel stack; the expression's type has its shape.
    KernelStack,
    /// A user stack; the expression's type has its shape.
    UserStack,
    /// The program's context, a pointer.
    Context,
}

/// Operations on one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`.
    Negate,
    /// `~`.
    Complement,
    /// `!`, on a [`Type::Bool`].
    Not,
    /// `bswap()`, on an unsigned integer of 2, 4 or 8 bytes.
    SwapBytes,
}

/// Operations on two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`, unsigned; a zero divisor gives 1 and a runtime error.
    Div,
    /// `%`, unsigned; a zero divisor gives 1 and a runtime error.
    Mod,
    /// `&`.
    BitAnd,
    /// `|`.
    BitOr,
    /// `^`.
    BitXor,
    /// `<<`.
    ShiftLeft,
    /// `>>`, logical.
    ShiftRight,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`, by the sign of the operands' type.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `&&`, on booleans; the right side runs only if the left is true.
    And,
    /// `||`, on booleans; the right side runs only if the left is false.
    Or,
}
