//! What managers ask every machine for and these have none of: block devices, jobs, TPMs, memory that was added. The lists are
//! empty, as they are in QEMU for a machine without such devices.
//!
//! A command is here if a manager cannot do without its answer. All others about such devices do not exist, so that a manager that
//! looks sees the truth.

use qmp::schema::{QapiType, TypeRef, Types};
use qmp::{Context, Error, command};
use serde::{Deserialize, Serialize, Serializer};

/// An entry of a list that is always empty.
#[derive(Debug)]
enum Nothing {}

impl Serialize for Nothing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl QapiType for Nothing {
    fn describe(types: &mut Types) -> TypeRef {
        types.empty()
    }
}

/// What `query-blockstats` and `query-named-block-nodes` may be told; it makes no difference here.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryBlockstats {
    #[expect(dead_code, reason = "accepted as the reference does")]
    query_nodes: Option<bool>,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryBlock {
    #[expect(dead_code, reason = "accepted as the reference does")]
    flat: Option<bool>,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryNamedBlockNodes {
    #[expect(dead_code, reason = "accepted as the reference does")]
    flat: Option<bool>,
}

command! {
    /// Returns the block devices: none.
    "query-block" (allow_preconfig) => fn query_block(_context: &mut Context, _: QueryBlock) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns what was read from and written to block devices: there are none.
    "query-blockstats" (allow_preconfig) =>
    fn query_blockstats(_context: &mut Context, _: QueryBlockstats) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the nodes of block devices: none.
    "query-named-block-nodes" (allow_preconfig) =>
    fn query_named_block_nodes(_context: &mut Context, _: QueryNamedBlockNodes) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the jobs about block devices: none.
    "query-block-jobs" (allow_preconfig) =>
    fn query_block_jobs(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the jobs: none.
    "query-jobs" => fn query_jobs(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the memory that was added while the machine runs: none.
    "query-memory-devices" =>
    fn query_memory_devices(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the TPMs: none.
    "query-tpm" => fn query_tpm(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the models of TPMs: none.
    "query-tpm-models" => fn query_tpm_models(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the types of TPMs: none.
    "query-tpm-types" => fn query_tpm_types(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}
