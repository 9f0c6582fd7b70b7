"""Classes that Keras has for its functions: what a file of Keras's calls a node of the graph.

Written by tools/refresh/keras_operations.py from Keras 3.15.1. A line is the module (in
`keras.src.ops`), the class, and the arguments of its constructor; the others belong to its calls.
"""

from __future__ import annotations

from typing import Final

_TABLE: Final = """
abs numpy Abs
absolute numpy Absolute
adaptive_average_pool nn AdaptiveAveragePool output_size data_format
adaptive_max_pool nn AdaptiveMaxPool output_size data_format
add numpy Add
affine_transform image AffineTransform interpolation fill_mode fill_value data_format
all numpy All axis keepdims
allclose numpy AllClose rtol atol equal_nan
amax numpy Amax axis keepdims
amin numpy Amin axis keepdims
angle numpy Angle
any numpy Any axis keepdims
append numpy Append axis
arange numpy Arange dtype
arccos numpy Arccos
arccosh numpy Arccosh
arcsin numpy Arcsin
arcsinh numpy Arcsinh
arctan numpy Arctan
arctan2 numpy Arctan2
arctanh numpy Arctanh
argmax numpy Argmax axis keepdims
argmin numpy Argmin axis keepdims
argpartition numpy Argpartition kth axis
argsort numpy Argsort axis
array numpy Array dtype
array_split numpy ArraySplit indices_or_sections axis
associative_scan core AssociativeScan reverse axis
average numpy Average axis
average_pool nn AveragePool pool_size strides padding data_format
batch_normalization nn BatchNorm axis epsilon
binary_crossentropy nn BinaryCrossentropy from_logits
bincount numpy Bincount weights minlength sparse
bitwise_and numpy BitwiseAnd
bitwise_invert numpy BitwiseInvert
bitwise_left_shift numpy BitwiseLeftShift
bitwise_not numpy BitwiseNot
bitwise_or numpy BitwiseOr
bitwise_right_shift numpy BitwiseRightShift
bitwise_xor numpy BitwiseXor
broadcast_to numpy BroadcastTo shape
cast core Cast dtype
categorical_crossentropy nn CategoricalCrossentropy from_logits axis
cbrt numpy Cbrt
cdist math CDist
ceil numpy Ceil
celu nn Celu alpha
cholesky linalg Cholesky upper
cholesky_inverse linalg CholeskyInverse upper
clip numpy Clip x_min x_max
concatenate numpy Concatenate axis
cond core Cond
conj numpy Conj
conjugate numpy Conjugate
conv nn Conv strides padding data_format dilation_rate
conv_transpose nn ConvTranspose strides padding output_padding data_format dilation_rate
convert_to_tensor core ConvertToTensor dtype sparse ragged
copy numpy Copy
corrcoef numpy Corrcoef
correlate numpy Correlate mode
cos numpy Cos
cosh numpy Cosh
count_nonzero numpy CountNonzero axis
crop_images image CropImages top_cropping left_cropping bottom_cropping right_cropping \
target_height target_width data_format
cross numpy Cross axisa axisb axisc axis
cumprod numpy Cumprod axis dtype
cumsum numpy Cumsum axis dtype
deg2rad numpy Deg2rad
depth_to_space nn DepthToSpace block_size data_format
depthwise_conv nn DepthwiseConv strides padding data_format dilation_rate
det linalg Det
diag numpy Diag k
diagflat numpy Diagflat k
diagonal numpy Diagonal offset axis1 axis2
diff numpy Diff n axis
digitize numpy Digitize
divide numpy Divide
divide_no_nan numpy DivideNoNan
dot numpy Dot
dot_product_attention nn DotProductAttention is_causal flash_attention attn_logits_soft_cap
dsplit numpy Dsplit indices_or_sections
dstack numpy Dstack
einsum numpy Einsum subscripts
elu nn Elu alpha
empty_like numpy EmptyLike dtype
equal numpy Equal
erf math Erf
erfc math Erfc
erfinv math Erfinv
exp numpy Exp
exp2 numpy Exp2
expand_dims numpy ExpandDims axis
expm1 numpy Expm1
extract_patches image ExtractPatches size strides dilation_rate padding data_format
extract_sequences math ExtractSequences sequence_length sequence_stride
fabs numpy Fabs
fft math FFT
fft2 math FFT2
flip numpy Flip axis
fliplr numpy Fliplr
flipud numpy Flipud
floor numpy Floor
floor_divide numpy FloorDivide
fmax numpy Fmax
fmin numpy Fmin
fmod numpy Fmod
fold nn Fold output_size kernel_size dilation padding stride
fori_loop core ForiLoop lower upper body_fun
full numpy Full shape dtype
full_like numpy FullLike dtype
gaussian_blur image GaussianBlur kernel_size sigma data_format
gcd numpy Gcd
gelu nn Gelu approximate
geomspace numpy Geomspace num endpoint dtype axis
get_item numpy GetItem
glu nn Glu axis
greater numpy Greater
greater_equal numpy GreaterEqual
hard_shrink nn HardShrink threshold
hard_sigmoid nn HardSigmoid
hard_silu nn HardSilu
hard_tanh nn HardTanh
heaviside numpy Heaviside
histogram numpy Histogram bins range
hsplit numpy Hsplit indices_or_sections
hstack numpy Hstack
hsv_to_rgb image HSVToRGB data_format
hypot numpy Hypot
i0 numpy I0
ifft2 math IFFT2
imag numpy Imag
in_top_k math InTopK k
inner numpy Inner
inv linalg Inv
irfft math IRFFT fft_length
isclose numpy Isclose equal_nan
isfinite numpy Isfinite
isin numpy IsIn assume_unique invert
isinf numpy Isinf
isnan numpy Isnan
isneginf numpy Isneginf
isposinf numpy Isposinf
isreal numpy Isreal
istft math ISTFT sequence_length sequence_stride fft_length length window center
kron numpy Kron
layer_normalization nn LayerNorm axis epsilon
lcm numpy Lcm
ldexp numpy Ldexp
leaky_relu nn LeakyRelu negative_slope
left_shift numpy LeftShift
less numpy Less
less_equal numpy LessEqual
linspace numpy Linspace num endpoint retstep dtype axis
log numpy Log
log10 numpy Log10
log1p numpy Log1p
log2 numpy Log2
log_sigmoid nn LogSigmoid
log_softmax nn LogSoftmax axis
logaddexp numpy Logaddexp
logaddexp2 numpy Logaddexp2
logdet math Logdet
logical_and numpy LogicalAnd
logical_not numpy LogicalNot
logical_or numpy LogicalOr
logical_xor numpy LogicalXor
logspace numpy Logspace num endpoint base dtype axis
logsumexp math Logsumexp axis keepdims
map core Map
map_coordinates image MapCoordinates order fill_mode fill_value
matmul numpy Matmul
max numpy Max axis keepdims initial
max_pool nn MaxPool pool_size strides padding data_format
maximum numpy Maximum
mean numpy Mean axis keepdims
median numpy Median axis keepdims
meshgrid numpy Meshgrid indexing
min numpy Min axis keepdims initial
minimum numpy Minimum
mod numpy Mod
moments nn Moments axes keepdims synchronized
moveaxis numpy Moveaxis source destination
multi_hot nn MultiHot num_classes axis dtype sparse kwargs
multiply numpy Multiply
nan_to_num numpy NanToNum nan posinf neginf
nanargmax numpy Nanargmax axis keepdims
nanargmin numpy Nanargmin axis keepdims
nancumprod numpy Nancumprod axis dtype
nancumsum numpy Nancumsum axis dtype
nanmax numpy Nanmax axis keepdims
nanmean numpy Nanmean axis keepdims
nanmedian numpy Nanmedian axis keepdims
nanmin numpy Nanmin axis keepdims
nanpercentile numpy Nanpercentile axis method keepdims
nanprod numpy Nanprod axis keepdims
nanquantile numpy Nanquantile axis method keepdims
nanstd numpy Nanstd axis keepdims
nansum numpy Nansum axis keepdims
nanvar numpy Nanvar axis keepdims
ndim numpy Ndim
negative numpy Negative
nonzero numpy Nonzero
norm linalg Norm ord axis keepdims
normalize nn Normalize axis order epsilon
not_equal numpy NotEqual
one_hot nn OneHot num_classes axis dtype sparse
ones_like numpy OnesLike dtype
outer numpy Outer
pad numpy Pad pad_width mode
pad_images image PadImages top_padding left_padding bottom_padding right_padding target_height \
target_width data_format
percentile numpy Percentile axis method keepdims
perspective_transform image PerspectiveTransform interpolation fill_value data_format
power numpy Power
prod numpy Prod axis keepdims dtype
psnr nn PSNR max_val
ptp numpy Ptp axis keepdims
quantile numpy Quantile axis method keepdims
rad2deg numpy Rad2deg
ravel numpy Ravel
real numpy Real
reciprocal numpy Reciprocal
relu nn Relu
relu6 nn Relu6
repeat numpy Repeat repeats axis
reshape numpy Reshape newshape
resize image Resize size interpolation antialias crop_to_aspect_ratio pad_to_aspect_ratio \
fill_mode fill_value data_format
rfft math RFFT fft_length
rgb_to_grayscale image RGBToGrayscale data_format
rgb_to_hsv image RGBToHSV data_format
right_shift numpy RightShift
rms_normalization nn RMSNorm axis epsilon
roll numpy Roll shift axis
rot90 numpy Rot90 k axes
round numpy Round decimals
rsqrt math Rsqrt
saturate_cast core SaturateCast dtype
scan core Scan length reverse unroll
scatter core Scatter shape
scatter_update core ScatterUpdate reduction
searchsorted numpy SearchSorted side
segment_max math SegmentMax num_segments sorted
segment_min math SegmentMin num_segments sorted
segment_prod math SegmentProd num_segments sorted
segment_sum math SegmentSum num_segments sorted
select numpy Select
selu nn Selu
separable_conv nn SeparableConv strides padding data_format dilation_rate
sigmoid nn Sigmoid
sign numpy Sign
signbit numpy Signbit
silu nn Silu
sin numpy Sin
sinc numpy Sinc
sinh numpy Sinh
size numpy Size
slice core Slice shape
slice_update core SliceUpdate
slogdet numpy Slogdet
sobel_edges image SobelEdges data_format
soft_shrink nn SoftShrink threshold
softmax nn Softmax axis
softplus nn Softplus
softsign nn Softsign
solve linalg Solve
solve_triangular linalg SolveTriangular lower
sort numpy Sort axis
space_to_depth nn SpaceToDepth block_size data_format
sparse_categorical_crossentropy nn SparseCategoricalCrossentropy from_logits axis
sparse_plus nn SparsePlus
sparse_sigmoid nn SparseSigmoid
sparsemax nn Sparsemax axis
split numpy Split indices_or_sections axis
sqrt numpy Sqrt
square numpy Square
squareplus nn Squareplus b
squeeze numpy Squeeze axis
ssim image SSIM max_val filter_size filter_sigma k1 k2 data_format
stack numpy Stack axis
std numpy Std axis keepdims
stft math STFT sequence_length sequence_stride fft_length window center
stop_gradient core StopGradient
subtract numpy Subtract
sum numpy Sum axis keepdims
swapaxes numpy Swapaxes axis1 axis2
switch core Switch
take numpy Take axis
take_along_axis numpy TakeAlongAxis axis
tan numpy Tan
tanh numpy Tanh
tanh_shrink nn TanhShrink
tensordot numpy Tensordot axes
threshold nn Threshold threshold default_value
tile numpy Tile repeats
top_k math TopK k sorted
trace numpy Trace offset axis1 axis2
transpose numpy Transpose axes
trapezoid numpy Trapezoid x dx axis
tril numpy Tril k
triu numpy Triu k
true_divide numpy TrueDivide
trunc numpy Trunc
unfold nn Unfold kernel_size dilation padding stride
unique numpy Unique sorted return_index return_inverse return_counts axis size fill_value
unravel_index numpy UnravelIndex shape
unstack core Unstack num axis
vander numpy Vander N increasing
var numpy Var axis keepdims
vdot numpy Vdot
vectorized_map core VectorizedMap function
vsplit numpy Vsplit indices_or_sections
vstack numpy Vstack
where numpy Where
while_loop core WhileLoop cond body maximum_iterations
zeros_like numpy ZerosLike dtype
"""

OPERATIONS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    function: (module, name, tuple(arguments))
    for function, module, name, *arguments in map(str.split, _TABLE.strip().splitlines())
}
"""Module, class and arguments of the constructor, by function."""
