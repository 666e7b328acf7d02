//! The memory store against a bare ordered map.
