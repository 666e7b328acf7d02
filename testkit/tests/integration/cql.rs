//! A minimal client of the native protocol (version 4), which these tests prefer to a driver.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const STARTUP: u8 = 0x01;
const QUERY: u8 = 0x07;
const ERROR: u8 = 0x00;

/// The number of replicas that must respond.
#[derive(Clone, Copy)]
pub(crate) enum Consistency {
    One = 1,
    All = 5,
}

/// Runs one statement on a new connection, and returns the body of the response. It contains the
/// bytes of the cells.
pub(crate) fn run(node: SocketAddr, statement: &str, level: Consistency) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&node, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    call(&mut stream, STARTUP, b"\0\x01\0\x0bCQL_VERSION\0\x053.0.0")?;
    let mut body = (statement.len() as u32).to_be_bytes().to_vec();
    body.extend_from_slice(statement.as_bytes());
    body.extend_from_slice(&(level as u16).to_be_bytes());
    body.push(0);
    call(&mut stream, QUERY, &body)
}

fn call(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = vec![4, 0, 0, 0, opcode];
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame)?;
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    let length = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
    let mut response = vec![0; length as usize];
    stream.read_exact(&mut response)?;
    if header[4] == ERROR {
        return Err(io::Error::other(
            String::from_utf8_lossy(&response[6..]).into_owned(),
        ));
    }
    Ok(response)
}

/// Returns whether a response contains this text in a cell.
pub(crate) fn holds(response: &[u8], text: &str) -> bool {
    response
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
