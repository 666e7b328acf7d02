//! A check that a node answers clients.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An OPTIONS request of the native protocol, version 4: header only, stream 0, no body.
const OPTIONS: [u8; 9] = [4, 0, 0, 0, 5, 0, 0, 0, 0];
/// The start of the response: version 4, no flags, stream 0, opcode SUPPORTED.
const SUPPORTED: [u8; 5] = [0x84, 0, 0, 0, 6];

/// Asks a server for its options, which needs no login.
///
/// A connection alone proves nothing: Docker's proxy accepts it before the server is up, and the
/// kernel accepts it for a stopped process.
///
/// # Errors
///
/// If a step takes longer than `limit`, or if the response is another one.
pub(crate) fn ask(address: SocketAddr, limit: Duration) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(&OPTIONS)?;
    let mut answer = SUPPORTED;
    stream.read_exact(&mut answer)?;
    if answer == SUPPORTED {
        Ok(())
    } else {
        let text = format!("{address} does not speak CQL: it answers {answer:?}");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}
