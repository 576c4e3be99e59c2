use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

fn names(health: &Health) -> Vec<String> {
    health
        .readiness()
        .failing
        .into_iter()
        .map(|check| check.name)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_service_is_ready_when_it_runs_and_all_checks_pass() {
    let health = Health::new(["a.v1.A"]);
    health.register_check("postgres", async || Ok::<_, String>(()));
    assert!(!health.readiness().is_ready());
    health.mark_running();
    assert_eq!(names(&health), ["postgres"], "not checked yet");
    health.check_once().await;
    assert!(health.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_is_named_with_its_reason_until_it_passes_again() {
    let up = Arc::new(AtomicBool::new(false));
    let health = Health::new(["a.v1.A"]);
    let seen = Arc::clone(&up);
    health.register_check("postgres", move || {
        let up = seen.load(Ordering::SeqCst);
        async move { if up { Ok(()) } else { Err("connection refused") } }
    });
    health.register_check("disk", async || Ok::<_, String>(()));
    health.mark_running();
    health.check_once().await;
    let expected = FailingCheck {
        name: "postgres".to_owned(),
        reason: "connection refused".to_owned(),
    };
    assert_eq!(health.readiness().failing, [expected]);
    up.store(true, Ordering::SeqCst);
    health.check_once().await;
    assert!(health.readiness().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_check_without_an_answer_fails_within_its_bound() {
    let health = Health::new(["a.v1.A"]);
    health.register_check("postgres", std::future::pending::<Result<(), String>>);
    health.mark_running();
    health.check_once().await;
    assert!(health.readiness().failing[0].reason.contains("no answer within"));
}

#[tokio::test(start_paused = true)]
async fn asking_makes_no_work() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let health = Health::new(["a.v1.A"]);
    health.register_check("postgres", move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, String>(()) }
    });
    health.check_once().await;
    for _ in 0..100 {
        let _ = health.readiness();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn checks_are_repeated() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let health = Health::new(["a.v1.A"]);
    health.register_check("postgres", move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, String>(()) }
    });
    let _ = timeout(Duration::from_millis(3_500), health.keep_checked()).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn there_is_no_way_back_from_draining() {
    let health = Health::new(["a.v1.A"]);
    health.mark_running();
    assert!(health.wait_until_ready().await);
    health.mark_draining();
    health.mark_running();
    assert_eq!(health.readiness().phase, Phase::Draining);
    assert!(!health.wait_until_ready().await);
}
