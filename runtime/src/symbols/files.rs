//! Names that stand in files: users and cgroups. Never by NSS: the tool is static.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// Paths of cgroups by id, which is the inode of the cgroup's folder.
#[derive(Debug, Default)]
pub struct Cgroups {
    roots: Option<Vec<PathBuf>>,
    paths: HashMap<u64, Vec<u8>>,
}

impl Cgroups {
    /// The path of a cgroup below its hierarchy, such as `unified:/user.slice`; empty when it is gone. An id
    /// is never used again, so an answer stays right.
    pub fn path(&mut self, id: u64) -> &[u8] {
        let roots = self.roots.get_or_insert_with(|| {
            let mounts = fs::read("/proc/self/mounts").unwrap_or_default();
            hierarchies(&mounts)
        });
        self.paths.entry(id).or_insert_with(|| {
            let found = roots.iter().find_map(|root| find_inode(root, id).map(|path| (root, path)));
            let Some((root, path)) = found else { return Vec::new() };
            let below = path.strip_prefix(root).unwrap_or(&path);
            [b"unified:/", below.as_os_str().as_bytes()].concat()
        })
    }
}

/// Where cgroup2 hierarchies are mounted.
fn hierarchies(mounts: &[u8]) -> Vec<PathBuf> {
    let mount = |line: &[u8]| {
        let mut words = line.split(|&byte| byte == b' ');
        let place = words.nth(1)?;
        let place = Path::new(std::ffi::OsStr::from_bytes(place)).to_path_buf();
        (words.next() == Some(b"cgroup2")).then_some(place)
    };
    mounts.split(|&byte| byte == b'\n').filter_map(mount).collect()
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
    use std::path::{Path, PathBuf};

    use super::{find_inode, find_user, hierarchies};

    #[test]
    fn users() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\nbroken\nbin:x:1:1::/:\nalso:x:1:1::/:\n";
        assert_eq!(find_user(passwd, 0), Some(&b"root"[..]));
        assert_eq!(find_user(passwd, 1), Some(&b"bin"[..]));
        assert_eq!(find_user(passwd, 2), None);
    }

    #[test]
    fn mounts() {
        let mounts =
            b"cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(hierarchies(mounts), [PathBuf::from("/sys/fs/cgroup/unified")]);
    }

    #[test]
    fn folders_by_inode() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let wanted = source.join("src/symbols");
        let inode = std::fs::metadata(&wanted).expect("is there").ino();
        assert_eq!(find_inode(source, inode), Some(wanted));
    }
}
