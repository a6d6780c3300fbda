"""Strategies and adapters in plain words, the ones to begin with first."""

from __future__ import annotations

STRATEGIES = {
    "auto": (
        "Automatic (recommended)",
        "Asks where most doubt is left that no label covers: at first the whole pool, later what the model is torn "
        "about and stands for many others.",
    ),
    "margin-density": (
        "Torn between two classes, typical",
        "Small difference between the two likeliest classes, in parts of the pool with many images.",
    ),
    "margin-cluster": (
        "Torn between two classes, spread out",
        "Small difference between the two likeliest classes, each image from another cluster.",
    ),
    "balanced-margin": (
        "Torn between two classes, rare classes first",
        "Small difference between the two likeliest classes, with classes that have few labels ahead.",
    ),
    "balanced-entropy": (
        "Most uncertain, rare classes first",
        "The highest entropy over all classes, with classes that have few labels ahead.",
    ),
    "balanced-bald": (
        "Where models disagree, rare classes first",
        "BALD, with classes that have few labels ahead.",
    ),
    "margin": ("Torn between two classes", "The smallest difference between the two likeliest classes."),
    "entropy": ("Most uncertain", "The highest entropy over all classes."),
    "expected-entropy": (
        "Ambiguous in itself",
        "What stays uncertain whichever of the models that fit the labels is right: to see what people cannot tell.",
    ),
    "least-confidence": ("Least confident", "The lowest probability of the likeliest class."),
    "typiclust": (
        "Typical of its cluster",
        "One typical image of each cluster; needs no prediction, good at the start.",
    ),
    "probcover": ("Cover the pool", "Images that have the most others near them; good at the start."),
    "herding": (
        "Most doubt not yet covered",
        "Uncertainty herding, which Automatic stands for now; by its own name it stays when Automatic changes.",
    ),
    "k-center": ("Far from what is labeled", "Each image far from every labeled one: covers outliers too."),
    "badge": (
        "Uncertain and different",
        "Uncertain images that would change the model in different ways (BADGE).",
    ),
    "epig": (
        "Best for the other predictions",
        "Images whose label tells most about the predictions of the others (EPIG); slower.",
    ),
    "bald": (
        "Where models disagree",
        "Images on which models that fit the labels equally well disagree (BALD).",
    ),
    "batchbald": (
        "Where models disagree, jointly",
        "BALD for a batch as a whole; slow beyond a few images (BatchBALD).",
    ),
    "power-margin": (
        "Torn, with chance",
        "Drawn at random, torn images more often; batches repeat themselves less.",
    ),
    "power-entropy": ("Uncertain, with chance", "Drawn at random, uncertain images more often."),
    "power-bald": (
        "Disagreement, with chance",
        "Drawn at random, images on which models disagree more often.",
    ),
    "softmax-bald": ("Disagreement, with chance (softmax)", "As before, by another rule of drawing."),
    "probvlm": (
        "What ProbVLM does not know",
        "Images about which ProbVLM could still learn something; train it below first.",
    ),
    "random": ("At random", "What everything else is compared with. Also fair where you distrust the model."),
}
"""By id: title, and what it asks for."""

ADAPTERS = {
    "bayes": (
        "Bayesian adapter (recommended)",
        "Starts from the class names and moves as far as your labels ask for; knows what it does not know.",
    ),
    "bayes-clap": (
        "Bayesian adapter, classes held as in CLAP",
        "The same model; classes whose names already find their images move less than the others.",
    ),
    "bayes-vi": (
        "Bayesian adapter, variational",
        "The first of these, fitted by another approximation; slower.",
    ),
    "clap": ("CLAP", "Starts from the class names and is held near them; good from one label a class on."),
    "tip": ("Tip-Adapter", "Looks labels up by similarity to the labeled images; nothing is fitted."),
    "linear": (
        "Linear probe",
        "Logistic regression on the vectors; ignores the class names, wants more labels.",
    ),
    "zero-shot": ("Class names only", "Learns nothing from labels: what the encoder knows by itself."),
}
"""By id: title, and what it does with the labels."""

ENCODERS = {
    "embedded": (
        "Small, on this machine (embedded)",
        "EfficientNet-Lite0 and MiniLM: quick without a graphics card, and needs no network.",
    ),
    "auto": (
        "CLIP where it can be had (auto)",
        "ViT-B/32 of open_clip, which knows more things by their names; slower, and its weights are fetched once. "
        "Where they cannot be had, the small one.",
    ),
}
"""By id: title, and what to expect; any other id can be typed."""

TYPED = "It is loaded when the images are read; its package and weights must be there."
"""Said of an encoder that stands in no list."""
