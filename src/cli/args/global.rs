//! Values of the global options.

use clap::ValueEnum;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; the schemas stand in docs/schemas.
    Json,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Faults.
    Error,
    /// What should be looked at.
    Warn,
    /// The course of a job.
    Info,
    /// Every exchange: header, length, status word, time.
    Debug,
    /// Every exchange; data too, where every key in use is a test key and nothing in it is secret.
    Trace,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
