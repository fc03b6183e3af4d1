"""Nets as scikit-learn's estimators: in pipelines, grid searches and cross-validation as any other.

>>> from sklearn.datasets import load_iris
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> x, y = load_iris(return_X_y=True)
>>> net = NeuralNetClassifier(hidden_layer_sizes=(16,), learning_rate=0.02, max_epochs=40, random_state=0)
>>> bool(make_pipeline(StandardScaler(), net).fit(x, y).score(x, y) > 0.95)
True
"""

from tinygrad_edu.sklearn.classifier import NeuralNetClassifier
from tinygrad_edu.sklearn.regressor import NeuralNetRegressor

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]
