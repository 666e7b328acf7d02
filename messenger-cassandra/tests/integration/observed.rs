//! The metrics of the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use libtest_mimic::Trial;
use messenger_core::Store;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::world::{EPOCH, Verdict, World, case, eventually, id_ago, send};

pub(crate) fn cases() -> Vec<Trial> {
    vec![case("metrics::count_what_happens", counts)]
}

/// Counts how often each metric was touched, by its name and labels.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, Arc<Count>>>>);

#[derive(Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

impl HistogramFn for Count {
    fn record(&self, value: f64) {
        assert!((0.0..60.0).contains(&value), "{value} seconds");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counts {
    fn count(&self, key: &Key) -> Arc<Count> {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        Arc::clone(self.0.lock().expect("a lock").entry(name).or_default())
    }

    fn of(&self, name: &str) -> u64 {
        let counts = self.0.lock().expect("a lock");
        let name = format!("messenger_cassandra_{name}");
        counts
            .get(&name)
            .map_or(0, |count| count.0.load(Ordering::Relaxed))
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.count(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.count(key))
    }
}

/// Other cases run at the same time, so each figure is at least what this one does.
async fn counts(world: World) -> Verdict {
    let counts = Counts::default();
    metrics::set_global_recorder(counts.clone())?;
    let pair = world.pair();
    for n in (0..3).rev() {
        let message = pair.message(id_ago(EPOCH * n), "hello");
        send(&world.store, &message).await?;
    }
    world.store.inbox(&pair.one, None, 5).await?;
    assert!(counts.of("cache_misses_total") >= 1);
    assert!(counts.of("cache_hits_total") >= 2);
    eventually("the rows that were left are counted", async || {
        Ok(counts.of("leftovers_deleted_total") >= 4)
    })
    .await
}
