//! Why a client did not get what it asked for.

use std::io;

/// Why a request or a wait of a [`Client`](super::Client) gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The other side refused the request; the session goes on.
    #[error("{0}")]
    Refused(crate::Error),
    /// Nothing came in time. The session goes on: a reply that comes late is passed over.
    #[error("no {awaited} within {after:?}")]
    Timeout {
        /// What was waited for.
        awaited: String,
        /// For how long.
        after: std::time::Duration,
    },
    /// The other side closed the connection.
    #[error("the monitor closed the connection")]
    Closed,
    /// The connection was closed here after an earlier error, which `why` tells: the two sides no longer agreed on where a message
    /// begins, or there was no connection any more. A new client is needed.
    #[error("the connection was closed: {why}")]
    Unusable {
        /// The error after which it was closed, and its causes.
        why: String,
    },
    /// The connection failed.
    #[error("the connection to the monitor failed")]
    Io(#[from] io::Error),
    /// What came is no JSON, or more than a message may hold ([`Config::limits`](super::Config::limits)). The connection is of no
    /// further use.
    #[error("what the monitor sent cannot be read")]
    Json(#[from] crate::json::JsonError),
    /// What came is no message of the protocol, or its error or its timestamp is none. The connection is of no further use.
    #[error("not a message of the protocol: {0}")]
    Protocol(String),
    /// The arguments have no JSON form; nothing was sent.
    #[error("the arguments of {command} have no JSON form")]
    Arguments {
        /// The command.
        command: String,
        /// Why.
        source: crate::json::WriterError,
    },
    /// What the command returned, or the event's data, is not of the type that was asked for.
    #[error("what {name} gave is not of the expected type")]
    Type {
        /// The command or event.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&crate::Error> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }

    /// Why nothing can follow this error in the same session; `None` where the session goes on.
    pub(super) fn ends_the_session(&self) -> Option<String> {
        match self {
            Self::Refused(_) | Self::Timeout { .. } | Self::Arguments { .. } | Self::Type { .. } => None,
            Self::Closed | Self::Unusable { .. } | Self::Io(_) | Self::Json(_) | Self::Protocol(_) => {
                let mut why = self.to_string();
                let mut cause = std::error::Error::source(self);
                while let Some(error) = cause {
                    why = format!("{why}: {error}");
                    cause = error.source();
                }
                Some(why)
            }
        }
    }
}
