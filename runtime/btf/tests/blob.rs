//! Scanning and writing on small blobs that are built here, word by word.

use btaot_btf::{Btf, BtfError, Def, Enumerator, Kind, Member, MiniBtf, TypeId};

/// Builds a blob: records are given as words, strings as one section.
#[derive(Default)]
struct Blob {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Blob {
    fn record(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }

    fn bytes(&self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let words = [0x0001_eb9f, 24, 0, types, types, strings];
        let mut out: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        out.extend(&self.types);
        out.extend(&self.strings);
        out
    }
}

fn info(kind: Kind, vlen: u32) -> u32 {
    (kind as u32) << 24 | vlen
}

const FLAG: u32 = 1 << 31;

/// `struct s { int a; union { long b; int c : 3; }; int *p; int v[4]; }`, `enum e { X = -1, Y = 2 }`,
/// `typedef const struct s t;`, `long f(int x)`.
fn base() -> Blob {
    let mut blob =
        Blob { strings: b"\0int\0long\0s\0a\0b\0c\0p\0v\0e\0X\0Y\0t\0f\0x\0".to_vec(), ..Blob::default() };
    blob.record(&[1, info(Kind::Int, 0), 4, 1 << 24 | 32]); // 1 int
    blob.record(&[5, info(Kind::Int, 0), 8, 1 << 24 | 64]); // 2 long
    blob.record(&[0, info(Kind::Union, 2) | FLAG, 8, 14, 2, 0, 16, 1, 3 << 24]); // 3 anonymous union
    blob.record(&[0, info(Kind::Ptr, 0), 1]); // 4 int *
    blob.record(&[0, info(Kind::Array, 0), 0, 1, 1, 4]); // 5 int[4]
    blob.record(&[10, info(Kind::Struct, 4), 40, 12, 1, 0, 0, 3, 64, 18, 4, 128, 20, 5, 192]); // 6 struct s
    blob.record(&[22, info(Kind::Enum, 2) | FLAG, 4, 24, u32::MAX, 26, 2]); // 7 enum e
    blob.record(&[0, info(Kind::Const, 0), 6]); // 8 const struct s
    blob.record(&[28, info(Kind::Typedef, 0), 8]); // 9 typedef t
    blob.record(&[0, info(Kind::FuncProto, 1), 2, 32, 1]); // 10 long (int x)
    blob.record(&[30, info(Kind::Func, 1), 10]); // 11 f
    blob
}

#[test]
fn answers_by_id_and_name() {
    let bytes = base().bytes();
    let btf = Btf::scan(&bytes, None).expect("valid");
    assert_eq!(btf.end_id(), 12);
    assert_eq!(btf.find(Kind::Struct, "s"), Some(TypeId(6)));
    assert_eq!(btf.find(Kind::Union, "s"), None);
    assert_eq!(btf.find(Kind::Typedef, "t"), Some(TypeId(9)));
    assert_eq!((btf.kind(TypeId(7)), btf.name(TypeId(7))), (Kind::Enum, "e"));
    assert_eq!(btf.kind(TypeId(12)), Kind::Void);
    let Def::Enum { values, .. } = btf.def(TypeId(7)) else { panic!("an enum") };
    let values: Vec<_> = values.collect();
    assert_eq!(values, [Enumerator { name: "X", value: -1 }, Enumerator { name: "Y", value: 2 }]);
    let (params, result) = btf.prototype(TypeId(11)).expect("a function");
    assert_eq!(params.map(|param| (param.name, param.ty.0)).collect::<Vec<_>>(), [("x", 1)]);
    assert_eq!(result, TypeId(2));
    let bitfield = btf.members(TypeId(3)).nth(1);
    assert_eq!(bitfield, Some(Member { name: "c", ty: TypeId(1), bit_offset: 0, bitfield_size: 3 }));
    assert_eq!(btf.pointee(TypeId(4)), Some(TypeId(1)));
}

#[test]
fn finds_places_through_anonymous_members_and_typedefs() {
    let bytes = base().bytes();
    let btf = Btf::scan(&bytes, None).expect("valid");
    let place = |name, path: &[&str]| {
        btf.field_size_offset(name, path).map(|field| (field.bit_offset, field.bit_size, field.bitfield))
    };
    assert_eq!(place("s", &["a"]), Some((0, 32, false)));
    assert_eq!(place("s", &["b"]), Some((64, 64, false)));
    assert_eq!(place("t", &["c"]), Some((64, 3, true)));
    assert_eq!(place("s", &["v"]), Some((192, 128, false)));
    assert_eq!(place("s", &[]), Some((0, 320, false)));
    assert_eq!(place("s", &["p", "x"]), None);
    assert_eq!(place("s", &[""]), None);
}

#[test]
fn split_btf_continues_its_base() {
    let base_bytes = base().bytes();
    let base = Btf::scan(&base_bytes, None).expect("valid");
    // struct m { struct s inner; int own; } with the base's types and both blobs' strings.
    // As in kernels, only the base has an empty string at its start.
    let mut module = Blob { strings: b"m\0inner\0own\0".to_vec(), ..Blob::default() };
    let start = 34;
    module.record(&[start, info(Kind::Struct, 2), 48, start + 2, 6, 0, start + 8, 1, 320]);
    let bytes = module.bytes();
    let split = Btf::scan(&bytes, Some(&base)).expect("valid");
    assert_eq!(split.find(Kind::Struct, "m"), Some(TypeId(12)));
    assert_eq!(split.find(Kind::Struct, "s"), Some(TypeId(6)));
    let place = split.field_size_offset("m", &["inner", "v"]).expect("there");
    assert_eq!((place.bit_offset, place.bit_size), (192, 128));
    assert_eq!(Btf::scan(&bytes, Some(&split)).err(), Some(BtfError::SplitBase));
    // Without its base, the blob refers to strings and types that are not there.
    assert!(Btf::scan(&bytes, None).is_err());

    let mut mini = MiniBtf::new();
    assert_eq!(mini.add_roots(&split, &["m", "s"]), [true, false]);
    let mini = mini.finish();
    let mini = Btf::scan(&mini, None).expect("valid");
    assert_eq!(mini.field_size_offset("m", &["inner", "c"]).map(|field| field.bit_offset), Some(64));
    assert_eq!(mini.find(Kind::Int, "long"), Some(TypeId(7)));
}

#[test]
fn mini_btf_keeps_layouts_and_drops_pointees() {
    let bytes = base().bytes();
    let btf = Btf::scan(&bytes, None).expect("valid");
    let mut mini = MiniBtf::new();
    assert_eq!(mini.add_roots(&btf, &["t", "e", "nothing"]), [true, true, false]);
    let places = [("a", 40), ("p", 8), ("v", 16)];
    let place = |name: &str| places.iter().find(|(known, _)| *known == name).map(|(_, offset)| *offset);
    let other = Btf::scan(&bytes, None).expect("valid");
    assert!(mini.add_moved(&other, "s", 48, place));
    assert!(!mini.add_moved(&other, "nothing", 48, place));
    let blob = mini.finish();
    let mini = Btf::scan(&blob, None).expect("valid");
    for path in [&["a"] as &[&str], &["b"], &["c"], &["p"], &["v"], &[]] {
        let strip = |field: Option<btaot_btf::Field>| field.map(|f| (f.bit_offset, f.bit_size, f.bitfield));
        assert_eq!(
            strip(mini.field_size_offset("t", path)),
            strip(btf.field_size_offset("t", path)),
            "{path:?}"
        );
    }
    let pointer = mini.field_size_offset("s", &["p"]).expect("there");
    assert_eq!(mini.pointee(pointer.ty), Some(TypeId::VOID));
    let structs: Vec<TypeId> = mini.own_ids().filter(|&id| mini.kind(id) == Kind::Struct).collect();
    let moved = *structs.last().expect("there are two");
    let place = |name| mini.member(moved, name).map(|field| (field.bit_offset, field.bit_size));
    assert_eq!(structs.len(), 2);
    assert_eq!(["a", "b", "p", "v"].map(place), [Some((320, 32)), None, Some((64, 64)), Some((128, 128))]);
    assert_eq!(mini.size(moved), Some(48));
}

#[test]
fn refuses_malformed_blobs() {
    let scan = |bytes: &[u8]| Btf::scan(bytes, None).err();
    let good = base().bytes();
    assert_eq!(scan(&[]), Some(BtfError::TooShort));
    assert_eq!(scan(&[0; 24]), Some(BtfError::Magic { found: 0 }));
    let swapped: Vec<u8> = good.chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    assert_eq!(scan(&swapped), Some(BtfError::ByteOrder));
    assert_eq!(scan(&good[..good.len() - 1]), Some(BtfError::SectionBounds));

    let mut blob = base();
    blob.strings.push(b'x');
    assert_eq!(scan(&blob.bytes()), Some(BtfError::Strings));
    let mut blob = base();
    blob.record(&[0, info(Kind::Ptr, 0), 13]);
    assert_eq!(scan(&blob.bytes()), Some(BtfError::TypeReference { id: 13 }));
    let offset = base().types.len() as u32;
    let mut blob = base();
    blob.record(&[99, info(Kind::Ptr, 0), 1]);
    assert_eq!(scan(&blob.bytes()), Some(BtfError::NameOffset { offset }));
    let mut blob = base();
    blob.record(&[0, 30 << 24, 1]);
    assert_eq!(scan(&blob.bytes()), Some(BtfError::UnknownKind { kind: 30, offset }));
    let mut blob = base();
    blob.record(&[0, info(Kind::Struct, 2), 8, 0, 1, 0]);
    assert_eq!(scan(&blob.bytes()), Some(BtfError::Truncated { offset }));
}

#[test]
fn cycles_end() {
    let mut blob = Blob { strings: b"\0t\0".to_vec(), ..Blob::default() };
    blob.record(&[1, info(Kind::Typedef, 0), 1]); // a typedef of itself
    blob.record(&[0, info(Kind::Array, 0), 0, 2, 1, 2]); // an array of itself
    blob.record(&[1, info(Kind::Struct, 1), 8, 0, 3, 0]); // a struct holding itself, unnamed
    blob.record(&[0, info(Kind::Const, 0), 4]);
    let bytes = blob.bytes();
    let btf = Btf::scan(&bytes, None).expect("well-formed, if senseless");
    assert_eq!(btf.resolve(TypeId(1)), TypeId::VOID);
    assert_eq!(btf.size(TypeId(2)), None);
    assert_eq!(btf.member(TypeId(3), "x"), None);
    let mut mini = MiniBtf::new();
    mini.add_roots(&btf, &["t"]);
    assert!(Btf::scan(&mini.finish(), None).is_ok());
}

/// Every corruption of single bytes is either refused or harmless.
#[test]
fn corrupted_bytes_never_panic() {
    let good = base().bytes();
    for at in 0..good.len() {
        for value in [0, 1, 0x13, 0x7f, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            let Ok(btf) = Btf::scan(&bytes, None) else {
                continue;
            };
            for id in btf.own_ids() {
                let _ = (
                    btf.name(id).len(),
                    btf.size(id),
                    btf.member(id, "nothing"),
                    btf.prototype(id).is_some(),
                );
            }
            let mut mini = MiniBtf::new();
            mini.add_roots(&btf, &["s", "t", "e"]);
            assert!(Btf::scan(&mini.finish(), None).is_ok(), "byte {at} = {value}");
        }
    }
}
