"""What pyproject.toml can't say: the folder assets/ beside the packages is installed as inception_model/assets."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["inception_model*", "app*"]), "inception_model.assets"],
    package_dir={"inception_model.assets": "assets"},
)
