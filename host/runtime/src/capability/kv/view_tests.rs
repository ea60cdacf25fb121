//! The view over a real store: granted, not granted, over its quota, killed.

use atomics::Host as _;
use batch::Host as _;
use soma_policy::{Code, Label, LabelSet, LimitKind};
use store::{Host as _, HostBucket as _};

use super::*;
use crate::capability::rig::Rig;

const GRANTED: &str = "[kv.box]\nprefix = \"box/\"\naccess = \"read-write\"\nquota = \"1 KiB\"";
const READ: &str = "[kv.box]\nprefix = \"box/\"\naccess = \"read\"\nquota = \"1 KiB\"";
const WRITE: &str = "[kv.box]\nprefix = \"box/\"\naccess = \"write\"\nquota = \"1 KiB\"";

async fn open(rig: &mut Rig, name: &str) -> Resource<Bucket> {
    KvView::of(rig.ctx()).open(name.to_owned()).await.unwrap().unwrap()
}

fn again(bucket: &Resource<Bucket>) -> Resource<Bucket> {
    Resource::new_borrow(bucket.rep())
}

async fn set(rig: &mut Rig, bucket: &Resource<Bucket>, key: &str, value: &[u8]) -> Answer<()> {
    KvView::of(rig.ctx()).set(again(bucket), key.to_owned(), value.to_vec()).await.unwrap()
}

async fn get(rig: &mut Rig, bucket: &Resource<Bucket>, key: &str) -> Answer<Option<Vec<u8>>> {
    KvView::of(rig.ctx()).get(again(bucket), key.to_owned()).await.unwrap()
}

#[tokio::test]
async fn every_operation_works_on_a_granted_bucket() {
    let mut rig = Rig::granting(GRANTED);
    let bucket = open(&mut rig, "box").await;
    set(&mut rig, &bucket, "box/a", b"1").await.unwrap();
    assert_eq!(get(&mut rig, &bucket, "box/a").await.unwrap().unwrap(), b"1");
    let mut view = KvView::of(rig.ctx());
    assert!(view.exists(again(&bucket), "box/a".into()).await.unwrap().unwrap());
    assert_eq!(view.increment(again(&bucket), "box/a".into(), 41).await.unwrap().unwrap(), 42);
    let pairs = vec![("box/b".into(), vec![2]), ("box/c".into(), vec![3])];
    view.set_many(again(&bucket), pairs).await.unwrap().unwrap();
    let page = view.list_keys(again(&bucket), None).await.unwrap().unwrap();
    assert_eq!(
        (page.keys, page.cursor),
        (vec!["box/a".into(), "box/b".into(), "box/c".into()], None)
    );
    let keys = vec!["box/b".into(), "box/none".into()];
    let found = view.get_many(again(&bucket), keys).await.unwrap().unwrap();
    assert_eq!(found, [Some(("box/b".to_owned(), vec![2])), None]);
    view.delete_many(again(&bucket), vec!["box/b".into(), "box/c".into()]).await.unwrap().unwrap();
    view.delete(again(&bucket), "box/a".into()).await.unwrap().unwrap();
    assert!(view.list_keys(again(&bucket), None).await.unwrap().unwrap().keys.is_empty());
    assert!(rig.denials().is_empty());
    assert_eq!(rig.labels(), LabelSet::EMPTY.with(Label::TenantData));
}

#[tokio::test]
async fn the_only_bucket_has_more_names_and_no_other_has() {
    let mut rig = Rig::granting(GRANTED);
    for name in ["box", "", "default"] {
        open(&mut rig, name).await;
    }
    for name in ["other", "box/", "BOX", "../box", "box\0"] {
        let refused = KvView::of(rig.ctx()).open(name.to_owned()).await.unwrap();
        assert!(matches!(refused, Err(Error::NoSuchStore)), "{name}");
    }
    assert_eq!(rig.denials(), [Code::NotGranted; 5]);
}

#[tokio::test]
async fn without_a_grant_no_bucket_opens() {
    let mut rig = Rig::declaring(GRANTED);
    assert!(KvView::of(rig.ctx()).open("box".to_owned()).await.unwrap().is_err());
    assert_eq!(rig.denials(), [Code::NotGranted]);
}

#[tokio::test]
async fn keys_outside_the_prefix_are_denied_one_by_one() {
    let mut rig = Rig::granting(GRANTED);
    let bucket = open(&mut rig, "box").await;
    for key in ["other", "", "box", "Box/a", "/box/a"] {
        assert!(matches!(get(&mut rig, &bucket, key).await, Err(Error::AccessDenied)), "{key}");
        assert!(
            matches!(set(&mut rig, &bucket, key, b"").await, Err(Error::AccessDenied)),
            "{key}"
        );
    }
    assert!(rig.denials().iter().all(|code| *code == Code::KvKey));
    let half = vec![("box/good".to_owned(), vec![1]), ("other".to_owned(), vec![1])];
    assert!(KvView::of(rig.ctx()).set_many(again(&bucket), half).await.unwrap().is_err());
    assert_eq!(get(&mut rig, &bucket, "box/good").await.unwrap(), None);
}

#[tokio::test]
async fn reading_and_writing_are_granted_apart() {
    let mut rig = Rig::granting(READ);
    let bucket = open(&mut rig, "box").await;
    assert!(get(&mut rig, &bucket, "box/a").await.unwrap().is_none());
    assert!(set(&mut rig, &bucket, "box/a", b"1").await.is_err());
    assert!(
        KvView::of(rig.ctx()).increment(again(&bucket), "box/a".into(), 1).await.unwrap().is_err()
    );
    assert_eq!(rig.denials(), [Code::KvAccess; 2]);
    let mut rig = Rig::granting(WRITE);
    let bucket = open(&mut rig, "box").await;
    set(&mut rig, &bucket, "box/a", b"1").await.unwrap();
    assert!(get(&mut rig, &bucket, "box/a").await.is_err());
    assert!(KvView::of(rig.ctx()).list_keys(again(&bucket), None).await.unwrap().is_err());
    assert!(
        KvView::of(rig.ctx()).increment(again(&bucket), "box/a".into(), 1).await.unwrap().is_err()
    );
    assert_eq!(rig.denials(), [Code::KvAccess; 3]);
}

#[tokio::test]
async fn a_full_store_is_a_denial_with_its_remedy() {
    let mut rig = Rig::granting(GRANTED);
    let bucket = open(&mut rig, "box").await;
    set(&mut rig, &bucket, "box/a", &[0; 512]).await.unwrap();
    assert!(matches!(set(&mut rig, &bucket, "box/b", &[0; 512]).await, Err(Error::Other(_))));
    assert_eq!(rig.denials(), [Code::KvQuota]);
    assert!(!rig.is_cut());
}

#[tokio::test]
async fn bytes_count_against_the_call() {
    let mut rig =
        Rig::granting("[kv.box]\nprefix = \"box/\"\naccess = \"read-write\"\nquota = \"1 GiB\"");
    let bucket = open(&mut rig, "box").await;
    let value = vec![0; 1 << 20];
    let mut ended = Ok(Ok(()));
    for n in 0..1_000 {
        ended = KvView::of(rig.ctx()).set(again(&bucket), format!("box/{n}"), value.clone()).await;
        if ended.is_err() {
            break;
        }
    }
    assert!(ended.is_err());
    assert_eq!(rig.cut_by(), Some(LimitKind::Hostcall));
}

#[tokio::test]
async fn batches_keys_and_cursors_are_bounded() {
    let mut rig = Rig::granting(GRANTED);
    let bucket = open(&mut rig, "box").await;
    let many: Vec<String> = (0..=super::super::BATCH_MAX).map(|n| format!("box/{n}")).collect();
    let mut view = KvView::of(rig.ctx());
    assert!(matches!(view.get_many(again(&bucket), many).await.unwrap(), Err(Error::Other(_))));
    let long = format!("box/{}", "k".repeat(100_000));
    assert!(view.set(again(&bucket), long, vec![]).await.unwrap().is_err());
    assert!(view.list_keys(again(&bucket), Some(7)).await.unwrap().is_err());
}

#[tokio::test]
async fn buckets_are_handles_and_come_back() {
    let mut rig = Rig::granting(GRANTED);
    for _ in 0..10_000 {
        let bucket = open(&mut rig, "box").await;
        store::HostBucket::drop(&mut KvView::of(rig.ctx()), bucket).await.unwrap();
    }
    let mut opened = Ok(());
    for _ in 0..10_000 {
        opened = KvView::of(rig.ctx()).open("box".to_owned()).await.map(|_| ());
        if opened.is_err() {
            break;
        }
    }
    assert!(opened.is_err());
    assert_eq!(rig.cut_by(), Some(LimitKind::Handles));
}

#[tokio::test]
async fn a_killed_call_touches_nothing() {
    let mut rig = Rig::granting(GRANTED);
    let bucket = open(&mut rig, "box").await;
    rig.kill();
    let mut view = KvView::of(rig.ctx());
    assert!(view.set(again(&bucket), "box/a".into(), vec![]).await.is_err());
    assert!(view.get(again(&bucket), "box/a".into()).await.is_err());
    assert!(view.open("box".into()).await.is_err());
    assert_eq!(rig.kv().used(rig.running(), "box").unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_written_before_the_start_record_is_durable() {
    let mut rig = Rig::without_journal(GRANTED);
    let bucket = open(&mut rig, "box").await;
    let written = KvView::of(rig.ctx()).set(again(&bucket), "box/a".into(), vec![1]).await;
    assert!(written.is_err());
    assert_eq!(rig.kv().used(rig.running(), "box").unwrap(), 0);
}
