//! A simulation: the real domain and the real handlers in a world where everything goes wrong that
//! can, one seed a run. `make simulate SEEDS=n` runs many.

mod broken;
mod judge;
mod ledger;
mod rng;
mod run;
mod world;

use broken::Broken;

#[test]
fn no_seed_breaks_an_invariant() {
    let report = run::many(0, 50, 300, Broken::Nothing, 20);
    eprintln!("{report:#?}");
    assert!(report.broken.is_empty());
}
