//! The server against hyper that answers the same bytes.
