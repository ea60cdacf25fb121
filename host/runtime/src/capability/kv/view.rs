//! `wasi:keyvalue` for one call: buckets as the guest holds them.

use soma_policy::{CapabilityKind, Code};
use soma_wit::keyvalue::{atomics, batch, store};
use store::{Bucket, Error, KeyResponse};
use wasmtime::Result;
use wasmtime::component::{HasData, Resource, ResourceTable};

use super::OpenBucket;
use super::decided::{Answer, Decided, Stop, answer, on_bucket};
use crate::capability::{missing, push};
use crate::state::Ctx;

/// Other names for the only bucket.
const ONLY: [&str; 2] = ["", "default"];

/// Names [`KvView`] to the linker.
pub(crate) struct Kv;

impl HasData for Kv {
    type Data<'a> = KvView<'a>;
}

/// `wasi:keyvalue` for one call.
pub(crate) struct KvView<'a> {
    decided: Decided<'a>,
    table: &'a mut ResourceTable,
}

impl<'a> KvView<'a> {
    pub(crate) fn of(ctx: &'a mut Ctx) -> Self {
        let decided = Decided { gate: &ctx.gate, store: &ctx.backends.kv };
        Self { decided, table: &mut ctx.table }
    }

    fn bucket(&mut self, bucket: &Resource<Bucket>) -> Result<&mut OpenBucket> {
        Ok(self.table.get_mut(&Resource::<OpenBucket>::new_borrow(bucket.rep()))?)
    }

    fn name(&mut self, bucket: &Resource<Bucket>) -> Result<Box<str>> {
        Ok(self.bucket(bucket)?.name.clone())
    }

    fn open_bucket(&mut self, identifier: &str) -> Result<Answer<Resource<Bucket>>> {
        let gate = self.decided.gate;
        gate.running().charge_bytes(identifier.len())?;
        let buckets = gate.authorised().rights().kv();
        let name = match buckets {
            [only] if ONLY.contains(&identifier) => only.name().as_str(),
            _ => identifier,
        };
        if !buckets.iter().any(|known| known.name().as_str() == name) {
            let operation = format!("open store `{}`", shown(name));
            let denial = missing(Code::NotGranted, CapabilityKind::Kv, operation);
            gate.refuse(on_bucket(denial, name));
            return Ok(Err(Error::NoSuchStore));
        }
        let open = push(gate.running(), self.table, OpenBucket::new(name))?;
        Ok(Ok(Resource::new_own(open.rep())))
    }

    async fn page(
        &mut self,
        bucket: &Resource<Bucket>,
        cursor: Option<u64>,
    ) -> std::result::Result<KeyResponse, Stop> {
        let open = self.bucket(bucket).map_err(Stop::Trap)?;
        let name = open.name.clone();
        let after = match cursor.map(|cursor| open.cursors.get(cursor).map(str::to_owned)) {
            Some(None) => return Err(Stop::other("the cursor is not known")),
            Some(known) => known,
            None => None,
        };
        let page = self.decided.list(&name, after).await?;
        let last = page.more.then(|| page.keys.last().cloned()).flatten();
        let open = self.bucket(bucket).map_err(Stop::Trap)?;
        let cursor = last.map(|last| open.cursors.keep(last));
        Ok(KeyResponse { keys: page.keys, cursor })
    }
}

/// A guest's text as a denial shows it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

impl store::Host for KvView<'_> {
    async fn open(&mut self, identifier: String) -> Result<Answer<Resource<Bucket>>> {
        self.open_bucket(&identifier)
    }
}

impl store::HostBucket for KvView<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Answer<Option<Vec<u8>>>> {
        let name = self.name(&bucket)?;
        let found = self.decided.read(&name, &[key]).await;
        answer(found.map(|values| values.into_iter().next().flatten()))
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Answer<()>> {
        let name = self.name(&bucket)?;
        answer(self.decided.write(&name, vec![(key, value)]).await)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Answer<()>> {
        let name = self.name(&bucket)?;
        answer(self.decided.delete(&name, &[key]).await)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Answer<bool>> {
        let name = self.name(&bucket)?;
        answer(self.decided.exists(&name, &key).await)
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<Answer<KeyResponse>> {
        answer(self.page(&bucket, cursor).await)
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
        self.table.delete(Resource::<OpenBucket>::new_own(bucket.rep()))?;
        Ok(())
    }
}

impl atomics::Host for KvView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<Answer<u64>> {
        let name = self.name(&bucket)?;
        answer(self.decided.increment(&name, &key, delta).await)
    }
}

impl batch::Host for KvView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Answer<Vec<Option<(String, Vec<u8>)>>>> {
        let name = self.name(&bucket)?;
        let found = self.decided.read(&name, &keys).await;
        let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        answer(found.map(|values| keys.into_iter().zip(values).map(pair).collect()))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<Answer<()>> {
        let name = self.name(&bucket)?;
        answer(self.decided.write(&name, pairs).await)
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Answer<()>> {
        let name = self.name(&bucket)?;
        answer(self.decided.delete(&name, &keys).await)
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
