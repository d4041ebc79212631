"""The registry."""

from __future__ import annotations

from stylize.networks import registry


def test_registry_is_what_is_published():
    names = list(registry.REGISTRY)
    assert names == ["magenta", "magenta-int8", "mini", "vgg19", "vgg19-slim"]
    for name, spec in registry.REGISTRY.items():
        assert spec.name == name
        assert spec.licence
        assert all((file.url is None) == spec.embedded for file in spec.files)
        assert all(file.url is None or file.url.startswith("https://") for file in spec.files)
    assert registry.REGISTRY["vgg19"].files[0].size_bytes == 80_134_624
