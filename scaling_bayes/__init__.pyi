from . import datasets as datasets
from . import errors as errors
from . import laws as laws
from . import noise as noise
from . import plots as plots
from . import units as units
from ._allocation import Allocation as Allocation
from ._allocation import allocate as allocate
from ._allocation import loss_given_up as loss_given_up
from ._comparison import Comparison as Comparison
from ._comparison import compare as compare
from ._fit import Fit as Fit
from ._fit import load as load
from ._fitter import Fitter as Fitter
from ._fitter import fit as fit
from ._forecast import Forecast as Forecast
from ._forecast import forecast as forecast
from ._model import build_model as build_model
from ._reach import ComputeToReach as ComputeToReach
from ._reach import compute_to_reach as compute_to_reach
from ._sampling import SamplerSettings as SamplerSettings
from .laws import Law as Law
from .priors import Prior as Prior
from .runs import Runs as Runs
from .runs import read_runs as read_runs

__version__: str
