#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use deepcuts_protocol::{FrontEnd, ModelCard};
use tch::{Device, Kind, Tensor, nn::VarStore};

use super::*;

fn parameters(arch: Arch) -> usize {
    let vs = VarStore::new(Device::Cpu);
    let _net = arch.build(&vs.root(), &CutsShape::default(), 10);
    vs.trainable_variables().iter().map(Tensor::numel).sum()
}

/// The table in the paper's own code: parameters, and multiply-adds of a chunk.
#[test]
fn the_papers_networks_have_the_papers_size() {
    let shape = CutsShape::default();
    let mmac = |arch: Arch| (arch.macs(&shape, 10) as f64 / 1e4).round() / 100.0;
    assert_eq!((parameters(Arch::Cnn), mmac(Arch::Cnn)), (3_914_890, 691.28));
    assert_eq!((parameters(Arch::Crnn), mmac(Arch::Crnn)), (3_328_650, 628.75));
    assert_eq!((parameters(Arch::CrnnLong), mmac(Arch::CrnnLong)), (3_983_498, 2763.39));
}

#[test]
fn cuts_costs_a_tenth_of_the_papers_cnn_at_most() {
    let seconds = f64::from(arch::chunk_ms(FrontEnd::Cuts, Arch::Cuts.input()[0])) / 1000.0;
    let per_second = Arch::Cuts.macs(&CutsShape::default(), 10) as f64 / seconds;
    assert!((3.0..=5.0).contains(&seconds), "{seconds}");
    assert!(per_second <= 17e6, "{per_second}");
}

#[test]
fn every_network_takes_its_chunks_and_gives_its_embedding() {
    for arch in [Arch::Cuts, Arch::Cnn, Arch::Crnn, Arch::CrnnLong] {
        let vs = VarStore::new(Device::Cpu);
        let net = arch.build(&vs.root(), &CutsShape::default(), 10);
        let [frames, bands] = arch.input();
        let embedding = net.embed(&Tensor::rand([2, frames, bands], (Kind::Float, Device::Cpu)), false);
        assert_eq!(embedding.size(), [2, arch.embedding(&CutsShape::default())], "{}", arch.name());
        assert_eq!(net.head(&embedding, false).size(), [2, 10]);
    }
}

/// Fully connected widths of the GRU-first network, from the table: 11520 values reach them.
#[test]
fn rcnn_flattens_to_what_the_authors_code_says() {
    let vs = VarStore::new(Device::Cpu);
    let _net = Arch::Rcnn.build(&vs.root(), &CutsShape::default(), 10);
    let size = |name: &str| vs.variables()[name].size();
    assert_eq!(size("dense1.weight"), [4096, 11520]);
    assert_eq!(size("gru.weight_hh_l1"), [3072, 1024]);
}

fn card(arch: Arch, front_end: FrontEnd) -> ModelCard {
    serde_json::from_value(serde_json::json!({
        "name": "t", "arch": arch.name(), "weights_blake3": "", "front_end": front_end, "feature_version": 1,
        "genres": ["a", "b", "c"], "chunk_frames": arch.input()[0], "chunk_ms": 4000,
        "embedding_dim": arch.embedding(&CutsShape::default()), "temperature": 1.0, "unsure_below": 0.0,
        "data": "", "licence": "", "protocol": "", "created": "",
    }))
    .unwrap()
}

/// A model with random weights whose BatchNorm statistics are not the trivial ones.
fn write_model(folder: &std::path::Path, arch: Arch, front_end: FrontEnd) -> PathBuf {
    tch::manual_seed(7);
    let vs = VarStore::new(Device::Cpu);
    let _net = arch.build(&vs.root(), &CutsShape::default(), 3);
    tch::no_grad(|| {
        for (name, mut t) in vs.variables() {
            if name.ends_with("running_var") {
                let _ = t.uniform_(0.5, 2.0);
            } else if name.ends_with("running_mean") {
                let _ = t.uniform_(-0.3, 0.3);
            }
        }
    });
    save(folder, &vs, card(arch, front_end))
}

fn save(folder: &std::path::Path, vs: &VarStore, mut card: ModelCard) -> PathBuf {
    let bytes = weights::to_bytes(&vs.variables(), weights::metadata(&CutsShape::default())).unwrap();
    card.weights_blake3 = weights::id_of(&bytes);
    let path = folder.join("t.safetensors");
    weights::write_whole(&path, &bytes).unwrap();
    std::fs::write(path.with_extension("json"), serde_json::to_string(&card).unwrap()).unwrap();
    path
}

#[test]
fn the_fast_form_names_what_the_trained_form_names() {
    for (arch, front_end) in [
        (Arch::Cuts, FrontEnd::Cuts),
        (Arch::Cnn, FrontEnd::Cuts),
        (Arch::Crnn, FrontEnd::Paper128),
        (Arch::CrnnLong, FrontEnd::Paper128),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = write_model(folder.path(), arch, front_end);
        let n = 5;
        let values = Tensor::rand([n, arch.input()[0], 128], (Kind::Float, Device::Cpu));
        let chunks: Vec<f32> = Vec::try_from(values.flatten(0, 2)).unwrap();
        let fast = Network::load(&path, DeviceChoice::Cpu).unwrap().classify(&chunks, n as usize).unwrap();
        let mut plain = Network::load_plain(&path, DeviceChoice::Cpu).unwrap();
        let slow = plain.classify(&chunks, n as usize).unwrap();
        assert_eq!(fast.winners, slow.winners, "{}", arch.name());
        let farthest = fast.embeddings.iter().zip(&slow.embeddings).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(farthest < 1e-4, "{} {farthest}", arch.name());
        let again = plain.label(&slow.embeddings, n as usize).unwrap();
        assert_eq!((again.winners, again.scores), (slow.winners, slow.scores));
    }
}

#[test]
fn no_chunks_are_no_verdicts_and_a_wrong_count_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_model(folder.path(), Arch::Cuts, FrontEnd::Cuts);
    let mut network = Network::load(&path, DeviceChoice::Cpu).unwrap();
    assert_eq!(network.classify(&[], 0).unwrap(), Verdicts::default());
    assert!(network.classify(&[0.0; 5], 1).is_err());
    assert!(network.classify(&vec![f32::NAN; 64 * 128], 1).is_err());
}

#[test]
fn a_weak_winner_is_unsure() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_model(folder.path(), Arch::Cuts, FrontEnd::Cuts);
    let mut card = ModelCard::read_for(&path).unwrap();
    card.temperature = 1e6;
    card.unsure_below = 0.4;
    std::fs::write(path.with_extension("json"), serde_json::to_string(&card).unwrap()).unwrap();
    let verdicts = Network::load(&path, DeviceChoice::Cpu).unwrap().classify(&vec![0.3; 64 * 128], 1).unwrap();
    // Three genres at an endless temperature are a third each.
    assert_eq!((verdicts.winners[0], verdicts.scores[0]), (deepcuts_protocol::UNSURE, 85));
}

fn why(path: &std::path::Path) -> String {
    let text = Network::load(path, DeviceChoice::Cpu).unwrap_err().to_string();
    assert!(text.contains("t.safetensors") || text.contains("t.json"), "{text}");
    text
}

#[test]
fn a_bad_model_file_is_a_named_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_model(folder.path(), Arch::Cuts, FrontEnd::Cuts);
    let good = std::fs::read(&path).unwrap();

    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(why(&path).contains("no whole safetensors file"));
    std::fs::write(&path, b"PK\x03\x04data.pkl").unwrap();
    assert!(why(&path).contains("pickle"));
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &changed).unwrap();
    assert!(why(&path).contains("hash"));
    std::fs::remove_file(&path).unwrap();
    assert!(why(&path).contains("no such file"));
    std::fs::write(&path, &good).unwrap();
    std::fs::remove_file(path.with_extension("json")).unwrap();
    assert!(why(&path).contains("model card"));
}

#[test]
fn weights_of_another_shape_or_with_nan_are_named_errors() {
    let folder = tempfile::tempdir().unwrap();
    let build = |genres: usize| {
        let vs = VarStore::new(Device::Cpu);
        let _net = Arch::Cuts.build(&vs.root(), &CutsShape::default(), genres);
        vs
    };
    let path = save(folder.path(), &build(4), card(Arch::Cuts, FrontEnd::Cuts));
    assert!(why(&path).contains("tensor head."));
    let vs = build(3);
    let _ = tch::no_grad(|| vs.variables()["head.bias"].shallow_clone().fill_(f64::NAN));
    let path = save(folder.path(), &vs, card(Arch::Cuts, FrontEnd::Cuts));
    assert!(why(&path).contains("NaN"));
    let path = save(folder.path(), &build(3), ModelCard { arch: "cnn".to_owned(), ..card(Arch::Cuts, FrontEnd::Cuts) });
    assert!(why(&path).contains("frames"));
    let path = save(folder.path(), &build(3), ModelCard { arch: "tea".to_owned(), ..card(Arch::Cuts, FrontEnd::Cuts) });
    assert!(why(&path).contains("not known"));
}
