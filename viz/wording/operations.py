"""What operations are called in words, in each language."""

from __future__ import annotations

from collections.abc import Mapping

KOREAN: Mapping[str, str] = {
    "item": "꺼내기", "alias": "별칭", "agreed": "일치하는 값", "zero": "0으로 두기", "gate": "게이트", "copy": "복사",
    "astype": "자료형 바꾸기", "conjugate": "켤레 복소수", "add": "더하기", "subtract": "빼기", "multiply": "곱하기", "divide": "나누기",
    "negative": "부호 바꾸기", "positive": "부호 그대로", "reciprocal": "역수", "square": "제곱", "sqrt": "제곱근", "cbrt": "세제곱근",
    "root": "거듭제곱근", "constant_power": "거듭제곱", "power": "거듭제곱", "power_log": "거듭제곱의 로그 인수", "getitem": "인덱싱",
    "scatter": "흩어 놓기", "scatter_add": "흩어 더하기", "index_update": "일부 바꾸기", "last_written": "마지막으로 쓴 값",
    "maximum": "큰 값 고르기", "minimum": "작은 값 고르기", "fmax": "큰 값 고르기(NaN 무시)", "fmin": "작은 값 고르기(NaN 무시)",
    "where": "조건에 따라 고르기", "clip": "범위 자르기", "equal": "같음", "not_equal": "다름", "less": "작음", "less_equal": "작거나 같음",
    "greater": "큼", "greater_equal": "크거나 같음", "logical_and": "논리곱", "logical_or": "논리합", "logical_xor": "배타적 논리합",
    "logical_not": "부정", "bitwise_and": "비트 논리곱", "bitwise_or": "비트 논리합", "bitwise_xor": "비트 배타적 논리합",
    "invert": "비트 반전", "left_shift": "왼쪽 시프트", "right_shift": "오른쪽 시프트", "isnan": "NaN인지 판정", "isinf": "무한대인지 판정",
    "isfinite": "유한한지 판정", "signbit": "음의 부호인지 판정", "isclose": "가까운지 판정", "diagonal": "대각 성분",
    "from_diagonal": "대각 행렬", "tril": "아래 삼각", "triu": "위 삼각", "exp": "지수 함수", "exp2": "2의 거듭제곱",
    "expm1": "지수 함수 − 1", "log": "로그", "log2": "밑이 2인 로그", "log10": "상용로그", "log1p": "1 + x의 로그", "sin": "사인",
    "cos": "코사인", "tan": "탄젠트", "arcsin": "아크사인", "arccos": "아크코사인", "arctan": "아크탄젠트", "sinh": "쌍곡사인",
    "cosh": "쌍곡코사인", "tanh": "쌍곡탄젠트", "arcsinh": "역쌍곡사인", "arccosh": "역쌍곡코사인", "arctanh": "역쌍곡탄젠트",
    "deg2rad": "도를 라디안으로", "rad2deg": "라디안을 도로", "hypot": "빗변", "arctan2": "편각", "sinc": "싱크 함수",
    "sinc_derivative": "싱크 함수의 미분", "reshape": "형상 바꾸기", "expand_dims": "축 추가", "squeeze": "축 제거",
    "broadcast_to": "브로드캐스트", "sum": "합", "expand": "늘리기", "channel_sum": "채널별 합", "mean": "평균", "prod": "곱",
    "any": "하나라도 참", "all": "모두 참", "count_nonzero": "0이 아닌 수 세기", "max": "최댓값", "min": "최솟값", "argmax": "최댓값의 위치",
    "argmin": "최솟값의 위치", "concatenate": "이어 붙이기", "stack": "쌓기", "sigmoid": "시그모이드", "relu": "ReLU",
    "leaky_relu": "리키 ReLU", "elu": "ELU", "silu": "SiLU", "embedding": "임베딩", "one_hot": "원-핫",
    "normal_cdf": "정규 누적분포", "gelu_slope": "GELU의 미분", "gelu": "GELU", "logaddexp": "지수 합의 로그",
    "logaddexp2": "2의 거듭제곱 합의 로그", "softplus": "소프트플러스", "logsigmoid": "로그 시그모이드", "softmax": "소프트맥스",
    "log_softmax": "로그 소프트맥스", "logsumexp": "지수 합의 로그", "matmul": "행렬 곱", "vecdot": "내적", "cross": "외적",
    "tensordot": "텐서 곱", "transpose": "전치", "matrix_transpose": "행렬 전치", "swapaxes": "축 맞바꾸기", "moveaxis": "축 옮기기",
    "flip": "뒤집기", "roll": "돌리기", "sign": "부호", "floor": "내림", "ceil": "올림", "trunc": "버림", "rint": "반올림",
    "round": "반올림", "absolute": "절댓값", "fabs": "절댓값", "copysign": "부호 옮기기", "heaviside": "계단 함수", "floor_divide": "몫",
    "remainder": "나머지", "fmod": "나머지", "cumsum": "누적 합", "recurrence": "점화식", "cumprod": "누적 곱", "var": "분산",
    "std": "표준편차", "conv": "합성곱", "conv_transpose": "전치 합성곱", "conv_weight": "합성곱 필터의 미분", "unfold_windows": "창 펼치기",
    "fold_windows": "창 접기", "prelu": "PReLU", "hardtanh": "하드 쌍곡탄젠트", "hardsigmoid": "하드 시그모이드",
    "hardswish": "하드 스위시", "batch_norm": "배치 정규화", "max_pool": "최대 풀링", "max_pool_gradient": "최대 풀링의 미분",
    "argmax_pool": "최댓값 위치 풀링", "sum_pool": "합 풀링", "spread_windows": "창에 나누어 주기", "attention": "어텐션",
    "attention_slopes": "어텐션의 미분", "class_numbers": "클래스 번호", "softmax_cross_entropy": "소프트맥스와 교차 엔트로피",
    "weighed": "가중", "sigmoid_cross_entropy": "시그모이드와 교차 엔트로피", "probability_cross_entropy": "확률의 교차 엔트로피",
    "standardize": "표준화", "argument": "인수", "gru": "GRU", "gru_slopes": "GRU의 미분", "lstm": "LSTM",
    "lstm_slopes": "LSTM의 미분", "rnn": "RNN", "rnn_slopes": "RNN의 미분", "projected_lstm": "투영 LSTM",
    "projected_lstm_slopes": "투영 LSTM의 미분", "selu": "SELU", "softsign": "소프트사인", "mish": "Mish", "einsum": "아인슈타인 합",
    "counted": "개수", "det": "행렬식", "cofactor": "여인수 행렬", "slogdet": "행렬식의 부호와 로그", "is_singular": "특이 행렬인지 판정",
    "cut_off": "작은 값 버리기", "eigh": "고윳값 분해", "reduced_svd": "특잇값 분해", "full_svd": "특잇값 분해", "cholesky": "촐레스키 분해",
    "reduced_qr": "QR 분해", "complete_qr": "QR 분해", "inv": "역행렬", "pinv": "유사 역행렬", "solve": "연립 방정식 풀기",
    "median": "중앙값", "quantile_at": "분위수", "nan_to_num": "NaN을 수로", "nanmedian": "중앙값(NaN 무시)",
    "nanmax": "최댓값(NaN 무시)", "nanmin": "최솟값(NaN 무시)", "nanargmax": "최댓값의 위치(NaN 무시)", "nanargmin": "최솟값의 위치(NaN 무시)",
    "euclidean_norm": "유클리드 노름", "p_norm": "p-노름", "pad_constant": "상수로 채우기", "argwhere": "참인 위치",
    "flatnonzero": "0이 아닌 위치", "first_places": "처음 위치", "single_places": "하나뿐인 위치", "other_places": "나머지 위치",
    "common_places": "공통 위치", "sort": "정렬", "argsort": "정렬 순서", "partition": "분할 정렬", "split": "나누어 자르기",
    "unstack": "풀어 놓기",
}  # fmt: skip
"""The operations of the package by their names; one of a user's own keeps its name."""


ENGLISH: Mapping[str, str] = {
    "constant_power": "power", "power_log": "slope of a power by its exponent", "sqrt": "square root", "cbrt": "cube root",
    "astype": "change of type", "getitem": "indexing", "fmax": "maximum without NaN", "fmin": "minimum without NaN",
    "clip": "clipping", "isnan": "test for NaN", "isinf": "test for infinity", "isfinite": "test for finite numbers",
    "signbit": "test for a minus", "isclose": "test for nearness", "tril": "lower triangle", "triu": "upper triangle",
    "from_diagonal": "diagonal matrix", "expm1": "exp minus 1", "log1p": "log of 1 + x", "deg2rad": "degrees to radians",
    "rad2deg": "radians to degrees", "hypot": "hypotenuse", "arctan2": "angle", "expand_dims": "further axes",
    "broadcast_to": "broadcast", "prod": "product", "count_nonzero": "count of non-zeros", "argmax": "place of the maximum",
    "argmin": "place of the minimum", "relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "silu": "SiLU", "gelu": "GELU",
    "gelu_slope": "slope of GELU", "one_hot": "one-hot", "normal_cdf": "normal distribution", "logaddexp": "log of a sum of exps",
    "logaddexp2": "log of a sum of powers of 2", "logsigmoid": "log sigmoid", "logsumexp": "log of a sum of exps",
    "matmul": "matrix product", "vecdot": "dot product", "cross": "cross product", "tensordot": "tensor product",
    "swapaxes": "swap of axes", "moveaxis": "move of an axis", "rint": "round", "absolute": "absolute value",
    "fabs": "absolute value", "copysign": "copy of the sign", "heaviside": "step function", "floor_divide": "quotient",
    "fmod": "remainder", "cumsum": "cumulative sum", "cumprod": "cumulative product", "var": "variance",
    "std": "standard deviation", "conv": "convolution", "conv_transpose": "transposed convolution",
    "conv_weight": "gradient of a kernel", "prelu": "PReLU", "hardtanh": "hard tanh", "hardsigmoid": "hard sigmoid",
    "hardswish": "hard swish", "batch_norm": "batch normalization", "max_pool": "max pooling",
    "max_pool_gradient": "gradient of max pooling", "argmax_pool": "places of max pooling", "sum_pool": "sum pooling",
    "softmax_cross_entropy": "softmax with cross-entropy", "sigmoid_cross_entropy": "sigmoid with cross-entropy",
    "probability_cross_entropy": "cross-entropy of probabilities", "gru": "GRU", "gru_slopes": "slopes of a GRU",
    "lstm": "LSTM", "lstm_slopes": "slopes of an LSTM", "rnn": "RNN", "rnn_slopes": "slopes of an RNN",
    "projected_lstm": "projected LSTM", "projected_lstm_slopes": "slopes of a projected LSTM", "selu": "SELU", "mish": "Mish",
    "einsum": "Einstein sum", "det": "determinant", "slogdet": "sign and log of the determinant",
    "is_singular": "test for a singular matrix", "eigh": "eigendecomposition", "reduced_svd": "singular value decomposition",
    "full_svd": "singular value decomposition", "cholesky": "Cholesky decomposition", "reduced_qr": "QR decomposition",
    "complete_qr": "QR decomposition", "inv": "inverse", "pinv": "pseudoinverse", "quantile_at": "quantile",
    "nan_to_num": "numbers for NaN", "nanmedian": "median without NaN", "nanmax": "maximum without NaN",
    "nanmin": "minimum without NaN", "nanargmax": "place of the maximum without NaN",
    "nanargmin": "place of the minimum without NaN", "euclidean_norm": "Euclidean norm", "p_norm": "p-norm",
    "pad_constant": "padding", "argwhere": "places that are true", "flatnonzero": "places that are not zero",
    "argsort": "order of sorting", "max": "maximum", "min": "minimum", "any": "any of them", "all": "all of them",
}  # fmt: skip
"""Those whose name is no English word; of the others, each `_` is read as a space."""


def operation_name(name: str, lang: str) -> str:
    """What an operation of the package is called, in words. One of a user's own keeps its name.

    >>> operation_name("scatter_add", "en"), operation_name("matmul", "en"), operation_name("mine_too", "en")
    ('scatter add', 'matrix product', 'mine_too')
    >>> operation_name("multiply", "ko"), operation_name("mine_too", "ko")
    ('곱하기', 'mine_too')
    """
    if lang == "ko" or name not in KOREAN:
        return KOREAN.get(name, name)
    return ENGLISH.get(name, name.replace("_", " "))
