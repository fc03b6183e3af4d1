"""Networks that chapters name, each on a page of its own, loaded when it is first named.

perceptron  mlp, layers of neurons
lenet       LeNet5
convnets    SimpleConvNet DeepConvNet, which read digits
alexnet     AlexNet
vgg         VGG11 VGG13 VGG16 VGG19
googlenet   GoogLeNet, of Inception blocks
resnet      ResNet18 ResNet34 ResNet50 ResNet101 ResNet152
mobilenet   MobileNetV2
unet        UNet, which marks places of an image
deeplab     DeepLabV3 and its head, by atrous convolutions
char_rnn    CharRNN, a recurrent language model
sentiment   SentimentRNN, which classifies sentences
seq2seq     Seq2Seq, from a sequence to another: plain, peeky, with attention
gpt         GPT, a decoder of text
autoencoder Autoencoder, which says again what it read
vae         VAE, whose code is a distribution
gan         GAN DCGAN, a generator and a discriminator

Those of images that torchvision has too have its names inside, so its weights can be read: `train.load_torch`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_edu.models.alexnet import AlexNet as AlexNet
    from tinygrad_edu.models.autoencoder import Autoencoder as Autoencoder
    from tinygrad_edu.models.char_rnn import CharRNN as CharRNN
    from tinygrad_edu.models.convnets import DeepConvNet as DeepConvNet
    from tinygrad_edu.models.convnets import SimpleConvNet as SimpleConvNet
    from tinygrad_edu.models.deeplab import DeepLabHead as DeepLabHead
    from tinygrad_edu.models.deeplab import DeepLabV3 as DeepLabV3
    from tinygrad_edu.models.gan import DCGAN as DCGAN
    from tinygrad_edu.models.gan import GAN as GAN
    from tinygrad_edu.models.googlenet import GoogLeNet as GoogLeNet
    from tinygrad_edu.models.gpt import GPT as GPT
    from tinygrad_edu.models.lenet import LeNet5 as LeNet5
    from tinygrad_edu.models.mobilenet import MobileNetV2 as MobileNetV2
    from tinygrad_edu.models.perceptron import mlp as mlp
    from tinygrad_edu.models.resnet import ResNet as ResNet
    from tinygrad_edu.models.resnet import ResNet18 as ResNet18
    from tinygrad_edu.models.resnet import ResNet34 as ResNet34
    from tinygrad_edu.models.resnet import ResNet50 as ResNet50
    from tinygrad_edu.models.resnet import ResNet101 as ResNet101
    from tinygrad_edu.models.resnet import ResNet152 as ResNet152
    from tinygrad_edu.models.sentiment import SentimentRNN as SentimentRNN
    from tinygrad_edu.models.seq2seq import Seq2Seq as Seq2Seq
    from tinygrad_edu.models.unet import UNet as UNet
    from tinygrad_edu.models.vae import VAE as VAE
    from tinygrad_edu.models.vgg import VGG as VGG
    from tinygrad_edu.models.vgg import VGG11 as VGG11
    from tinygrad_edu.models.vgg import VGG13 as VGG13
    from tinygrad_edu.models.vgg import VGG16 as VGG16
    from tinygrad_edu.models.vgg import VGG19 as VGG19

PAGES = {
    "alexnet": ("AlexNet",),
    "autoencoder": ("Autoencoder",),
    "char_rnn": ("CharRNN",),
    "convnets": ("DeepConvNet", "SimpleConvNet"),
    "deeplab": ("DeepLabHead", "DeepLabV3"),
    "gan": ("DCGAN", "GAN"),
    "googlenet": ("GoogLeNet",),
    "gpt": ("GPT",),
    "lenet": ("LeNet5",),
    "perceptron": ("mlp",),
    "mobilenet": ("MobileNetV2",),
    "resnet": ("ResNet", "ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152"),
    "sentiment": ("SentimentRNN",),
    "seq2seq": ("Seq2Seq",),
    "unet": ("UNet",),
    "vae": ("VAE",),
    "vgg": ("VGG", "VGG11", "VGG13", "VGG16", "VGG19"),
}
"""The networks, by their page."""

_PAGE = {name: page for page, names in PAGES.items() for name in names}

__all__ = sorted(_PAGE)


def __getattr__(name: str) -> Any:
    """Load the page of a network when it is first named."""
    if name in _PAGE:
        return getattr(import_module(f"tinygrad_edu.models.{_PAGE[name]}"), name)
    raise AttributeError(f"module 'tinygrad_edu.models' has no attribute {name!r}; it has {', '.join(__all__)}")
