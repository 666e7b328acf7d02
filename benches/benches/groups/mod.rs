//! Pairs as groups of criterion: in each one, subject and baseline.

use std::sync::Arc;
use std::time::Duration;

use benches::pair::Pair;
use benches::ratio;
use criterion::{Criterion, Throughput};
use tokio::runtime::Runtime;

/// Criterion for so many groups: each takes a few seconds.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// Measures all of them, and sums up.
pub(crate) fn measure(pairs: &[Pair], runtime: &Runtime) {
    let mut criterion = criterion();
    for pair in pairs {
        for &in_flight in &pair.in_flight {
            measure_one(&mut criterion, pair, in_flight, runtime);
        }
    }
    criterion.final_summary();
}

fn measure_one(criterion: &mut Criterion, pair: &Pair, in_flight: usize, runtime: &Runtime) {
    let name = match in_flight {
        1 => pair.name.clone(),
        _ => format!("{} ({in_flight} in flight)", pair.name),
    };
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(in_flight as u64));
    for (name, side) in [("subject", &pair.subject), ("baseline", &pair.baseline)] {
        group.bench_function(name, |bencher| {
            bencher.to_async(runtime).iter_custom(|times| {
                let side = Arc::clone(side);
                async move {
                    let taken = ratio::run(&side, in_flight, times).await;
                    // Criterion takes no errors.
                    taken.expect("a side does what it should")
                }
            });
        });
    }
    group.finish();
}
