//! As much of the native protocol (version 4) as these tests need: a driver is not what is tested.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const STARTUP: u8 = 0x01;
const QUERY: u8 = 0x07;
const ERROR: u8 = 0x00;

/// How many replicas must answer.
#[derive(Clone, Copy)]
pub(crate) enum Consistency {
    One = 1,
    All = 5,
}

/// Runs one statement on a new connection and gives the body of the answer: for rows, the bytes of
/// their cells are somewhere in it.
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
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer)?;
    if header[4] == ERROR {
        return Err(io::Error::other(
            String::from_utf8_lossy(&answer[6..]).into_owned(),
        ));
    }
    Ok(answer)
}

/// Whether an answer holds this text in a cell.
pub(crate) fn holds(answer: &[u8], text: &str) -> bool {
    answer
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
