from __future__ import annotations

import copy
import pickle

import preliz as pz
import pytest

import scaling_bayes as sb
from scaling_bayes.errors import PriorError

NARROW = sb.Prior("LogNormal", mu=-1.0, sigma=0.1)


def test_a_user_replaces_one_prior_and_the_others_stay():
    default, changed = sb.laws.Chinchilla(), sb.laws.Chinchilla(priors={"alpha_N": NARROW})
    assert changed.priors == default.priors | {"alpha_N": NARROW}
    assert changed.parameter_names == default.parameter_names
    reasons = {parameter.name: parameter.reason for parameter in changed.parameters}
    assert reasons.pop("alpha_N") == "given by the user"
    assert "given by the user" not in reasons.values()


def test_a_preliz_prior_is_the_same_as_one_by_name():
    changed = sb.laws.Chinchilla(priors={"alpha_N": pz.LogNormal(-1.0, 0.1)})
    assert changed == sb.laws.Chinchilla(priors={"alpha_N": NARROW})


def test_replacing_leaves_the_class_as_it_was():
    before = sb.laws.Chinchilla().to_dict()
    sb.laws.Chinchilla(priors={"alpha_N": NARROW})
    assert sb.laws.Chinchilla().to_dict() == before


def test_an_unknown_parameter_is_refused_and_the_known_ones_named():
    with pytest.raises(PriorError, match=r"no parameter 'alpha' .*L_inf, alpha_N"):
        sb.laws.Chinchilla(priors={"alpha": NARROW})
    with pytest.raises(PriorError, match=r"normal has no parameter 'nu'.*sigma"):
        sb.noise.Normal(priors={"nu": NARROW})


def test_equal_are_the_same_law_with_the_same_priors():
    default, changed = sb.laws.Chinchilla(), sb.laws.Chinchilla(priors={"alpha_N": NARROW})
    assert default == sb.laws.Chinchilla()
    assert hash(default) == hash(sb.laws.Chinchilla())
    assert default != changed
    assert default != sb.laws.Coupled()
    assert sb.laws.PowerLaw("flops") != sb.laws.PowerLaw("tokens")


def test_a_law_can_be_copied_and_sent_to_another_process():
    changed = sb.laws.Chinchilla(priors={"alpha_N": NARROW})
    assert copy.deepcopy(changed) == changed
    assert pickle.loads(pickle.dumps(changed)) == changed
