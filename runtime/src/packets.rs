//! Packets of the network, written to files in the PCAP format
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use btaot_abi::event::PacketHeader;
use btaot_abi::metadata::{Metadata, PacketFile};
use thiserror::Error;

use crate::sys::machine::page_size;
use crate::sys::perf::{self, Event, Scope};
use crate::sys::records::RecordRing;

/// Most bytes of a packet, as the files say.
const SNAP_LENGTH: u32 = 65535;
/// `LINKTYPE_RAW`: packets begin with the header of the internet protocol.
const RAW_IP: u32 = 101;
/// Bytes for the packets of a CPU that were not read yet, when the script does not say.
const BUFFER: usize = 1 << 20;
/// `PERF_RECORD_LOST` and `PERF_RECORD_SAMPLE` (`include/uapi/linux/perf_event.h`).
const LOST: u32 = 2;
const SAMPLE: u32 = 9;

/// A file of packets cannot be written.
#[derive(Debug, Error)]
#[error("{}: cannot write packets: {error}", path.display())]
pub struct PacketError {
    path: PathBuf,
    error: io::Error,
}

/// The packets that programs hand out.
#[derive(Debug)]
pub struct Packets<'m> {
    rings: Vec<(u32, RecordRing)>,
    files: Vec<(PathBuf, BufWriter<File>)>,
    /// For each table row, what it says and the file.
    rows: Vec<(&'m PacketFile, usize)>,
    /// Wall-clock time at boot, ns.
    boot_time: i64,
}

impl<'m> Packets<'m> {
    /// Makes the files, and buffers on these CPUs. `None` if the script has no packets.
    pub fn open(metadata: &'m Metadata, cpus: &[u32], boot_time: i64) -> Result<Option<Self>, PacketError> {
        let mut packets = Self { rings: Vec::new(), files: Vec::new(), rows: Vec::new(), boot_time };
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        for file in &metadata.packets {
            let index = match known.get(&file.path[..]) {
                Some(index) => *index,
                None => packets.create(Path::new(OsStr::from_bytes(&file.path)))?,
            };
            known.insert(&file.path, index);
            packets.rows.push((file, index));
        }
        if packets.rows.is_empty() {
            return Ok(None);
        }
        let page = page_size();
        let pages =
            metadata.config.ring_pages.map_or(BUFFER / page, |pages| pages as usize).next_power_of_two();
        for cpu in cpus {
            let ring = perf::open(&Event::Written, Scope { pid: None, cpu: Some(*cpu) })
                .and_then(|event| RecordRing::new(event, pages));
            let ring = ring.map_err(|error| packets.error(0, error))?;
            packets.rings.push((*cpu, ring));
        }
        Ok(Some(packets))
    }

    fn create(&mut self, path: &Path) -> Result<usize, PacketError> {
        let failed = |error| PacketError { path: path.to_owned(), error };
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        file.write_all(&file_header()).map_err(failed)?;
        self.files.push((path.to_owned(), file));
        Ok(self.files.len() - 1)
    }

    fn error(&self, file: usize, error: io::Error) -> PacketError {
        let path = self.files.get(file).map(|(path, _)| path.clone()).unwrap_or_default();
        PacketError { path, error }
    }

    /// The CPUs with their events.
    pub fn events(&self) -> Vec<(u32, BorrowedFd<'_>)> {
        self.rings.iter().map(|(cpu, ring)| (*cpu, ring.fd())).collect()
    }

    /// Writes what has come. Gives the number of packets, and that of those for which there was no room.
    pub fn drain(&mut self) -> Result<(usize, u64), PacketError> {
        let (mut found, mut lost) = (0, 0);
        let (files, rows, boot_time) = (&mut self.files, &self.rows, self.boot_time);
        let mut failure = None;
        for (_, ring) in &mut self.rings {
            ring.drain(|record| match record.kind {
                // Its length stands in front of what a program wrote.
                SAMPLE => {
                    let packet = record.body.get(4..).and_then(PacketHeader::split);
                    let Some((header, bytes)) = packet else { return };
                    let Some((row, file)) = rows.get(header.id as usize) else { return };
                    let kept = usize::try_from(row.offset).ok().and_then(|offset| bytes.get(offset..));
                    found += 1;
                    let Some(kept) = kept.filter(|kept| !kept.is_empty()) else { return };
                    let Some((_, out)) = files.get_mut(*file) else { return };
                    let time = i128::from(header.time) + i128::from(boot_time);
                    let written =
                        out.write_all(&packet_header(time, kept.len())).and_then(|()| out.write_all(kept));
                    failure = failure.take().or(written.err().map(|error| (*file, error)));
                }
                LOST => {
                    let count = record.body.get(8..16).and_then(|bytes| bytes.try_into().ok());
                    lost += count.map_or(0, u64::from_ne_bytes);
                }
                _ => {}
            });
        }
        match failure {
            Some((file, error)) => Err(self.error(file, error)),
            None => Ok((found, lost)),
        }
    }

    /// Hands what was written to the system.
    pub fn flush(&mut self) -> Result<(), PacketError> {
        for (path, file) in &mut self.files {
            file.flush().map_err(|error| PacketError { path: path.clone(), error })?;
        }
        Ok(())
    }
}

/// The start of a file: magic number, version 2.4, two unused words, length of packets, kind of packets.
fn file_header() -> [u8; 24] {
    let version = u32::from(2u16) | 4 << 16;
    words([0xa1b2_c3d4, version, 0, 0, SNAP_LENGTH, RAW_IP])
}

/// What stands before a packet: its time in seconds and us, and its length twice, as kept and as sent. `time` is in ns
/// since 1970.
fn packet_header(time: i128, length: usize) -> [u8; 16] {
    let us = time.max(0) / 1000;
    words([(us / 1_000_000) as u32, (us % 1_000_000) as u32, length as u32, length as u32])
}

/// Files have the byte order of the machine that wrote them.
fn words<const N: usize, const BYTES: usize>(words: [u32; N]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{file_header, packet_header};

    /// From the format's description, for a little-endian machine.
    #[test]
    fn headers_are_those_of_the_format() {
        let expected = "d4c3b2a1020004000000000000000000ffff000065000000";
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&file_header()), expected);
        assert_eq!(hex(&packet_header(2_000_003_999, 5)), "02000000030000000500000005000000");
    }
}
