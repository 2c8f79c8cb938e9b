//! Names that stand in files: users and cgroups. Never by NSS: the tool is static.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use btaot_abi::pattern;

/// Login names by user id.
#[derive(Debug, Default)]
pub struct Users {
    names: HashMap<u64, Vec<u8>>,
}

impl Users {
    /// The name of a user; empty when there is none.
    pub fn name(&mut self, uid: u64) -> &[u8] {
        self.names.entry(uid).or_insert_with(|| {
            let passwd = fs::read("/etc/passwd").unwrap_or_default();
            find_user(&passwd, uid).unwrap_or_default().to_vec()
        })
    }
}

/// Finds a user in the text of passwd(5).
fn find_user(passwd: &[u8], uid: u64) -> Option<&[u8]> {
    passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next()?;
        let id = std::str::from_utf8(fields.nth(1)?).ok()?;
        (id.parse() == Ok(uid)).then_some(name)
    })
}

/// A hierarchy of cgroups.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    /// `unified` for version 2, else the name of the folder where it is mounted.
    name: Vec<u8>,
    root: PathBuf,
}

/// Paths of cgroups by id, which is the inode of the cgroup's folder.
#[derive(Debug, Default)]
pub struct Cgroups {
    hierarchies: Option<Vec<Hierarchy>>,
    /// Paths of ids, for each hierarchy; nothing where it has no such cgroup.
    paths: HashMap<u64, Vec<Option<Vec<u8>>>>,
}

impl Cgroups {
    /// The paths of a cgroup in all hierarchies whose name the filter matches, such as `unified:/user.slice`; empty
    /// when it is gone. An id is never used again, so an answer stays right.
    pub fn path(&mut self, id: u64, filter: &[u8]) -> Vec<u8> {
        let hierarchies = self.hierarchies.get_or_insert_with(|| {
            let mounts = fs::read("/proc/self/mounts").unwrap_or_default();
            hierarchies(&mounts)
        });
        let paths = self.paths.entry(id).or_insert_with(|| {
            let below = |hierarchy: &Hierarchy| {
                let path = find_inode(&hierarchy.root, id)?;
                let below = path.strip_prefix(&hierarchy.root).unwrap_or(&path);
                Some([b"/", below.as_os_str().as_bytes()].concat())
            };
            hierarchies.iter().map(below).collect()
        });
        let wanted = hierarchies.iter().zip(paths).filter(|(found, _)| pattern::matches(filter, &found.name));
        let named =
            wanted.filter_map(|(found, path)| Some([&found.name, &b":"[..], path.as_ref()?].concat()));
        named.collect::<Vec<_>>().join(&b',')
    }
}

/// The file systems of cgroups.
const VERSION_1: &[u8] = b"cgroup";
/// The same, of version 2.
const VERSION_2: &[u8] = b"cgroup2";

/// The mounted hierarchies: those of version 2, then the others by name.
fn hierarchies(mounts: &[u8]) -> Vec<Hierarchy> {
    let mount = |line: &[u8]| {
        let mut words = line.split(|&byte| byte == b' ');
        let place = words.nth(1)?;
        let root = Path::new(std::ffi::OsStr::from_bytes(place)).to_path_buf();
        match words.next()? {
            VERSION_2 => Some((0, Hierarchy { name: b"unified".to_vec(), root })),
            VERSION_1 => Some((1, Hierarchy { name: root.file_name()?.as_bytes().to_vec(), root })),
            _ => None,
        }
    };
    let mut found: Vec<_> = mounts.split(|&byte| byte == b'\n').filter_map(mount).collect();
    found.sort_by(|(a, first), (b, second)| (a, &first.name).cmp(&(b, &second.name)));
    found.into_iter().map(|(_, hierarchy)| hierarchy).collect()
}

/// Finds the folder with an inode at or below a folder.
fn find_inode(folder: &Path, inode: u64) -> Option<PathBuf> {
    if fs::metadata(folder).is_ok_and(|metadata| metadata.ino() == inode) {
        return Some(folder.to_path_buf());
    }
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        // A cgroup may vanish during the search; the others are still there.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.metadata().is_ok_and(|metadata| metadata.ino() == inode) {
                return Some(entry.path());
            }
            pending.push(entry.path());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::{Hierarchy, find_inode, find_user, hierarchies};

    #[test]
    fn users() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\nbroken\nbin:x:1:1::/:\nalso:x:1:1::/:\n";
        assert_eq!(find_user(passwd, 0), Some(&b"root"[..]));
        assert_eq!(find_user(passwd, 1), Some(&b"bin"[..]));
        assert_eq!(find_user(passwd, 2), None);
    }

    #[test]
    fn mounts() {
        let mounts = b"cgroup /sys/fs/cgroup/pids cgroup rw 0 0\nproc /proc proc rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /mnt/two cgroup2 rw 0 0\n";
        let found = hierarchies(mounts);
        let expected: [(&[u8], &str); 3] =
            [(b"unified", "/mnt/two"), (b"cpu", "/sys/fs/cgroup/cpu"), (b"pids", "/sys/fs/cgroup/pids")];
        let expected = expected.map(|(name, root)| Hierarchy { name: name.to_vec(), root: root.into() });
        assert_eq!(found, expected);
    }

    #[test]
    fn folders_by_inode() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let wanted = source.join("src/symbols");
        let inode = std::fs::metadata(&wanted).expect("is there").ino();
        assert_eq!(find_inode(source, inode), Some(wanted));
    }
}
